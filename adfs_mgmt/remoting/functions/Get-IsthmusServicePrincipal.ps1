param(
    [Parameter(Mandatory = $true)]
    [ValidatePattern('\A[A-Za-z0-9._-]{1,255}\z')]
    [string]
    $Name
)
$ErrorActionPreference = 'Stop'

# include service_account

$domain = [System.DirectoryServices.ActiveDirectory.Domain]::GetComputerDomain()
if ($serviceAccount -match '\A(LocalSystem|NT AUTHORITY\\.*|NT SERVICE\\.*)\z') {
    $serviceAccount = "$($domain.Name)\$env:COMPUTERNAME`$"
}
$identifier = [System.Security.Principal.SecurityIdentifier]
try {
    $serviceSid = [System.Security.Principal.NTAccount]::new($serviceAccount).Translate($identifier).Value
}
catch {
    throw "the account of the service adfssrv, $serviceAccount, is not known in the directory"
}
$escaped = ''
foreach ($octet in [System.Text.Encoding]::UTF8.GetBytes($Name)) { $escaped += '\{0:x2}' -f $octet }
$searcher = $domain.Forest.FindGlobalCatalog().GetDirectorySearcher()
$searcher.Filter = '(|(servicePrincipalName=host/{0})(servicePrincipalName=http/{0}))' -f $escaped
$searcher.ClientTimeout = [System.TimeSpan]::FromSeconds(20)
foreach ($attribute in 'objectSid', 'servicePrincipalName') { [void]$searcher.PropertiesToLoad.Add($attribute) }
$results = $searcher.FindAll()
try {
    foreach ($result in $results) {
        $sid = [System.Security.Principal.SecurityIdentifier]::new([byte[]]$result.Properties['objectsid'][0], 0)
        try {
            $account = $sid.Translate([System.Security.Principal.NTAccount]).Value
        }
        catch {
            $account = $sid.Value
        }
        $names = @()
        foreach ($each in $result.Properties['serviceprincipalname']) {
            if ("host/$Name", "http/$Name" -contains $each) { $names += [string]$each }
        }
        [pscustomobject]@{ Account = $account; Names = $names; IsService = ($sid.Value -eq $serviceSid) }
    }
}
finally {
    $results.Dispose()
}
