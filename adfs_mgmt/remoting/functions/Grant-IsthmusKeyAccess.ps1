param(
    [Parameter(Mandatory = $true)]
    [ValidatePattern('\A[0-9A-Fa-f]{40}\z')]
    [string]
    $Thumbprint,
    [Parameter(Mandatory = $true)]
    [string]
    $Account
)
$ErrorActionPreference = 'Stop'

# include key_of

# include service_account

if ($Account -ne 'NT SERVICE\adfssrv' -and ($serviceAccount -eq '' -or $Account -ne $serviceAccount)) {
    throw "keys are granted to NT SERVICE\adfssrv and to the account of that service only, not to $Account"
}

$store = [System.Security.Cryptography.X509Certificates.X509Store]::new('My', 'LocalMachine')
$store.Open('ReadOnly')
try {
    # include certificate
    $found = & $keyOf $certificate
    if ($null -eq $found.Path) { throw "the key file of $Thumbprint was not found; is its key in hardware?" }
    $rights = [System.IO.File]::GetAccessControl($found.Path)
    $grantee = [System.Security.Principal.NTAccount]::new($Account)
    $rights.AddAccessRule([System.Security.AccessControl.FileSystemAccessRule]::new($grantee, 'Read', 'Allow'))
    [System.IO.File]::SetAccessControl($found.Path, $rights)
}
finally {
    $store.Close()
}
