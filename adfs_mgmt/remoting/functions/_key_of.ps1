$keyOf = {
    param($Certificate)
    $type = [System.Security.Cryptography.X509Certificates.RSACertificateExtensions]
    $key = $type::GetRSAPrivateKey($Certificate)
    if ($null -eq $key) {
        $type = [System.Security.Cryptography.X509Certificates.ECDsaCertificateExtensions]
        $key = $type::GetECDsaPrivateKey($Certificate)
    }
    if ($key -is [System.Security.Cryptography.RSACryptoServiceProvider]) {
        $info = $key.CspKeyContainerInfo
        $found = @{ Cng = $false; Provider = $info.ProviderName; Name = $info.UniqueKeyContainerName }
        $found.KeySpec = [int]$info.KeyNumber
    }
    elseif ($null -ne $key) {
        $found = @{ Cng = $true; Provider = $key.Key.Provider.Provider; Name = $key.Key.UniqueName; KeySpec = 0 }
    }
    else {
        throw "the private key of $($Certificate.Thumbprint) cannot be opened"
    }
    $found.Path = $null
    $crypto = [System.IO.Path]::Combine($env:ProgramData, 'Microsoft', 'Crypto')
    foreach ($folder in 'RSA\MachineKeys', 'Keys', 'SystemKeys') {
        $path = [System.IO.Path]::Combine($crypto, $folder, $found.Name)
        if ([System.IO.File]::Exists($path)) { $found.Path = $path }
    }
    $found
}
