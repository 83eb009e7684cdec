"""The checks of each endpoint: ordered lists of small functions that raise what the client is told. Pure.

redirects        where an answer may go
authorization    what an application may ask for
interaction      whether the person has to do something first
codes            whether a code may be redeemed
refresh          whether a refresh token may be used
"""
