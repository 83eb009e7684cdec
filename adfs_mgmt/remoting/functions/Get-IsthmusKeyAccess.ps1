param(
    [ValidatePattern('\A[0-9A-Fa-f]{40}\z')]
    [string[]]
    $Thumbprint
)
$ErrorActionPreference = 'Stop'

# include key_of

# include service_account

$sids = @('S-1-1-0', 'S-1-5-11')
foreach ($name in $serviceAccount, 'NT SERVICE\adfssrv') {
    try {
        $known = [System.Security.Principal.NTAccount]::new($name)
        $sids += $known.Translate([System.Security.Principal.SecurityIdentifier]).Value
    }
    catch {
        continue
    }
}
if ($serviceAccount -eq 'LocalSystem') { $sids += 'S-1-5-18' }

$store = [System.Security.Cryptography.X509Certificates.X509Store]::new('My', 'LocalMachine')
$store.Open('ReadOnly')
try {
    foreach ($certificate in $store.Certificates) {
        if ($Thumbprint -and $Thumbprint -notcontains $certificate.Thumbprint) { continue }
        $found = @{ Cng = $false; KeySpec = $null; Provider = ''; Path = $null }
        $readable = $false
        if ($certificate.HasPrivateKey) {
            try { $found = & $keyOf $certificate } catch { $found.Provider = $_.Exception.Message }
        }
        if ($null -ne $found.Path) {
            $rules = [System.IO.File]::GetAccessControl($found.Path).GetAccessRules(
                $true, $true, [System.Security.Principal.SecurityIdentifier])
            $denied = $false
            foreach ($rule in $rules) {
                $reads = $rule.FileSystemRights -band [System.Security.AccessControl.FileSystemRights]::ReadData
                if ($reads -and $sids -contains $rule.IdentityReference.Value) {
                    if ($rule.AccessControlType -eq 'Deny') { $denied = $true } else { $readable = $true }
                }
            }
            if ($denied) { $readable = $false }
        }
        [pscustomobject]@{
            Thumbprint = $certificate.Thumbprint
            HasPrivateKey = $certificate.HasPrivateKey
            Cng = $found.Cng
            KeySpec = $found.KeySpec
            Provider = $found.Provider
            ServiceAccount = $serviceAccount
            Readable = $readable
        }
    }
}
finally {
    $store.Close()
}
