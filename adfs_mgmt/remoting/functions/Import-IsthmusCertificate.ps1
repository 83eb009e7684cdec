param(
    [Parameter(Mandatory = $true)]
    [byte[]]
    $Pfx,
    [Parameter(Mandatory = $true)]
    [securestring]
    $Password
)
$ErrorActionPreference = 'Stop'

# include key_of

$plain = [System.Net.NetworkCredential]::new('', $Password).Password
$all = [System.Security.Cryptography.X509Certificates.X509Certificate2Collection]::new()
$all.Import($Pfx, $plain, 'MachineKeySet, PersistKeySet')
$own = $null
foreach ($each in $all) {
    if ($each.HasPrivateKey) { $own = $each }
}
if ($null -eq $own) { throw 'the PFX has no certificate with a private key' }
$issuers = [System.Security.Cryptography.X509Certificates.X509Store]::new('CA', 'LocalMachine')
$issuers.Open('ReadWrite')
try {
    foreach ($each in $all) {
        if (-not $each.HasPrivateKey -and $each.Subject -ne $each.Issuer) { $issuers.Add($each) }
    }
}
finally {
    $issuers.Close()
}

$store = [System.Security.Cryptography.X509Certificates.X509Store]::new('My', 'LocalMachine')
$store.Open('ReadWrite')
try {
    $existed = $false
    foreach ($each in $store.Certificates) {
        if ($each.Thumbprint -eq $own.Thumbprint -and $each.HasPrivateKey) { $existed = $true }
    }
    if (-not $existed) { $store.Add($own) }
}
finally {
    $store.Close()
}

[pscustomobject]@{ Thumbprint = $own.Thumbprint; Cng = (& $keyOf $own).Cng; Existed = $existed }
