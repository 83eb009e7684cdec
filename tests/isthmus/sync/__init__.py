"""`isthmus sync`, from a file to a real SCIM service."""
