"""What strangers send, as data, and every entrance that it is sent to.

`inputs` holds spellings, markup, addresses, cookies, headers and sizes. `entrances` names every way in: a new one is one
line there, and every input is tried on it.
"""
