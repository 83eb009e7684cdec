"""The demo: a throwaway domain on this machine, to see real sign-ins against a real Active Directory."""
