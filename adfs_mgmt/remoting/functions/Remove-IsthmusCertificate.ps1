param(
    [Parameter(Mandatory = $true)]
    [ValidatePattern('\A[0-9A-Fa-f]{40}\z')]
    [string]
    $Thumbprint
)
$ErrorActionPreference = 'Stop'

$store = [System.Security.Cryptography.X509Certificates.X509Store]::new('My', 'LocalMachine')
$store.Open('ReadWrite')
try {
    # include certificate
    $store.Remove($certificate)
}
finally {
    $store.Close()
}
