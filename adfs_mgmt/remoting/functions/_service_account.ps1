$query = "SELECT StartName FROM Win32_Service WHERE Name='adfssrv'"
$searcher = [System.Management.ManagementObjectSearcher]::new($query)
$serviceAccount = ''
foreach ($service in $searcher.Get()) { $serviceAccount = [string]$service['StartName'] }
