$certificate = $null
foreach ($each in $store.Certificates) {
    if ($each.Thumbprint -eq $Thumbprint) { $certificate = $each }
}
if ($null -eq $certificate) { throw "there is no certificate $Thumbprint in LocalMachine\My" }
