"""PowerShell of our own: what Windows has no cmdlet for. Defined in the role file, run by the host's virtual account.

The functions use .NET only, so that no cmdlet has to be made visible for them. Each takes typed parameters and checks what
it is given: a key is granted to AD FS's service and to nobody else.
"""

from __future__ import annotations

_STORE = """
        $store = [System.Security.Cryptography.X509Certificates.X509Store]::new('My', 'LocalMachine')
        $store.Open('{mode}')
        try {{{body}
        }}
        finally {{
            $store.Close()
        }}
"""

_KEY_FILE = """
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
            }
            elseif ($null -ne $key) {
                $found = @{ Cng = $true; Provider = $key.Key.Provider.Provider; Name = $key.Key.UniqueName }
            }
            else {
                throw "the private key of $($Certificate.Thumbprint) cannot be opened"
            }
            $found.Path = $null
            $crypto = [System.IO.Path]::Combine($env:ProgramData, 'Microsoft', 'Crypto')
            foreach ($folder in 'RSA\\MachineKeys', 'Keys', 'SystemKeys') {
                $path = [System.IO.Path]::Combine($crypto, $folder, $found.Name)
                if ([System.IO.File]::Exists($path)) { $found.Path = $path }
            }
            $found
        }
"""

_SERVICE = """
        $query = "SELECT StartName FROM Win32_Service WHERE Name='adfssrv'"
        $searcher = [System.Management.ManagementObjectSearcher]::new($query)
        $serviceAccount = ''
        foreach ($service in $searcher.Get()) { $serviceAccount = [string]$service['StartName'] }
"""

_ONE = """
            $certificate = $null
            foreach ($each in $store.Certificates) {
                if ($each.Thumbprint -eq $Thumbprint) { $certificate = $each }
            }
            if ($null -eq $certificate) { throw "there is no certificate $Thumbprint in LocalMachine\\My" }"""

_GET_KEY_ACCESS = (
    """
        param(
            [ValidatePattern('\\A[0-9A-Fa-f]{40}\\z')]
            [string[]]
            $Thumbprint
        )
        $ErrorActionPreference = 'Stop'
"""
    + _KEY_FILE
    + _SERVICE
    + """
        $sids = @('S-1-1-0', 'S-1-5-11')
        foreach ($name in $serviceAccount, 'NT SERVICE\\adfssrv') {
            try {
                $known = [System.Security.Principal.NTAccount]::new($name)
                $sids += $known.Translate([System.Security.Principal.SecurityIdentifier]).Value
            }
            catch {
                continue
            }
        }
        if ($serviceAccount -eq 'LocalSystem') { $sids += 'S-1-5-18' }
"""
    + _STORE.format(
        mode="ReadOnly",
        body="""
            foreach ($certificate in $store.Certificates) {
                if ($Thumbprint -and $Thumbprint -notcontains $certificate.Thumbprint) { continue }
                $found = @{ Cng = $false; Provider = ''; Path = $null }
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
                    Provider = $found.Provider
                    ServiceAccount = $serviceAccount
                    Readable = $readable
                }
            }""",
    )
)

_IMPORT = (
    """
        param(
            [Parameter(Mandatory = $true)]
            [byte[]]
            $Pfx,
            [Parameter(Mandatory = $true)]
            [securestring]
            $Password
        )
        $ErrorActionPreference = 'Stop'
"""
    + _KEY_FILE
    + """
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
"""
    + _STORE.format(
        mode="ReadWrite",
        body="""
            $existed = $false
            foreach ($each in $store.Certificates) {
                if ($each.Thumbprint -eq $own.Thumbprint -and $each.HasPrivateKey) { $existed = $true }
            }
            if (-not $existed) { $store.Add($own) }""",
    )
    + """
        [pscustomobject]@{ Thumbprint = $own.Thumbprint; Cng = (& $keyOf $own).Cng; Existed = $existed }
"""
)

_GRANT = (
    """
        param(
            [Parameter(Mandatory = $true)]
            [ValidatePattern('\\A[0-9A-Fa-f]{40}\\z')]
            [string]
            $Thumbprint,
            [Parameter(Mandatory = $true)]
            [string]
            $Account
        )
        $ErrorActionPreference = 'Stop'
"""
    + _KEY_FILE
    + _SERVICE
    + """
        if ($Account -ne 'NT SERVICE\\adfssrv' -and ($serviceAccount -eq '' -or $Account -ne $serviceAccount)) {
            throw "keys are granted to NT SERVICE\\adfssrv and to the account of that service only, not to $Account"
        }
"""
    + _STORE.format(
        mode="ReadOnly",
        body=_ONE
        + """
            $found = & $keyOf $certificate
            if ($null -eq $found.Path) { throw "the key file of $Thumbprint was not found; is its key in hardware?" }
            $rights = [System.IO.File]::GetAccessControl($found.Path)
            $grantee = [System.Security.Principal.NTAccount]::new($Account)
            $rights.AddAccessRule([System.Security.AccessControl.FileSystemAccessRule]::new($grantee, 'Read', 'Allow'))
            [System.IO.File]::SetAccessControl($found.Path, $rights)""",
    )
)

_REMOVE = """
        param(
            [Parameter(Mandatory = $true)]
            [ValidatePattern('\\A[0-9A-Fa-f]{40}\\z')]
            [string]
            $Thumbprint
        )
        $ErrorActionPreference = 'Stop'
""" + _STORE.format(
    mode="ReadWrite",
    body=_ONE
    + """
            $store.Remove($certificate)""",
)

_GET_PRINCIPAL = (
    """
        param(
            [Parameter(Mandatory = $true)]
            [ValidatePattern('\\A[A-Za-z0-9._-]{1,255}\\z')]
            [string]
            $Name
        )
        $ErrorActionPreference = 'Stop'
"""
    + _SERVICE
    + """
        $domain = [System.DirectoryServices.ActiveDirectory.Domain]::GetComputerDomain()
        if ($serviceAccount -match '\\A(LocalSystem|NT AUTHORITY\\\\.*|NT SERVICE\\\\.*)\\z') {
            $serviceAccount = "$($domain.Name)\\$env:COMPUTERNAME`$"
        }
        $identifier = [System.Security.Principal.SecurityIdentifier]
        try {
            $serviceSid = [System.Security.Principal.NTAccount]::new($serviceAccount).Translate($identifier).Value
        }
        catch {
            throw "the account of the service adfssrv, $serviceAccount, is not known in the directory"
        }
        $escaped = ''
        foreach ($octet in [System.Text.Encoding]::UTF8.GetBytes($Name)) { $escaped += '\\{0:x2}' -f $octet }
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
"""
)

FUNCTIONS = {
    "Get-IsthmusKeyAccess": _GET_KEY_ACCESS,
    "Import-IsthmusCertificate": _IMPORT,
    "Grant-IsthmusKeyAccess": _GRANT,
    "Remove-IsthmusCertificate": _REMOVE,
    "Get-IsthmusServicePrincipal": _GET_PRINCIPAL,
}
"""Text of each function's body, by name."""
