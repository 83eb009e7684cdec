"""Types of attributes: those of Active Directory that are known without asking, and the words that rules declare others by.

Sources deliver values of these types. Attributes that name other objects are links, which no expression reads.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from sync.rules.expressions import Kind, ValueType
from sync.rules.model import TypeWord

LINK: Final = "link"
TYPES: Final[Mapping[str, ValueType]] = {
    "text": ValueType.of(Kind.TEXT),
    "text[]": ValueType.of(Kind.TEXT, many=True),
    "number": ValueType.of(Kind.NUMBER),
    "number[]": ValueType.of(Kind.NUMBER, many=True),
    "boolean": ValueType.of(Kind.BOOLEAN),
    "bytes": ValueType.of(Kind.BYTES),
    "bytes[]": ValueType.of(Kind.BYTES, many=True),
}
"""By the word of a file of rules; `link` is none of them."""

DN: Final = "dn"
KEY: Final = "objectGUID"
"""What every object has, whatever its source: its place in the tree, and its key."""

_KNOWN: Final[Mapping[TypeWord, str]] = {
    "text": """
        adminDescription c cn co comment company department displayName displayNamePrintable distinguishedName
        division dn employeeID employeeNumber employeeType facsimileTelephoneNumber generationQualifier givenName
        homePhone homePostalAddress info initials ipPhone l legacyExchangeDN mail mailNickname middleName mobile
        msDS-cloudExtensionAttribute1 msDS-cloudExtensionAttribute2 msDS-cloudExtensionAttribute3 msDS-phoneticDisplayName
        msDS-PhoneticFirstName msDS-PhoneticLastName msExchAssistantName name pager personalTitle physicalDeliveryOfficeName
        postalCode preferredLanguage primaryTelexNumber sAMAccountName scriptPath sn st street streetAddress targetAddress
        telephoneAssistant telephoneNumber textEncodedORAddress title userPrincipalName userWorkstations wWWHomePage
        extensionAttribute1 extensionAttribute2 extensionAttribute3 extensionAttribute4 extensionAttribute5
        extensionAttribute6 extensionAttribute7 extensionAttribute8 extensionAttribute9 extensionAttribute10
        extensionAttribute11 extensionAttribute12 extensionAttribute13 extensionAttribute14 extensionAttribute15
        whenChanged whenCreated""",
    "text[]": """
        businessCategory carLicense departmentNumber description labeledURI o objectClass otherFacsimileTelephoneNumber
        otherHomePhone otherIpPhone otherMailbox otherMobile otherPager otherTelephone ou postalAddress postOfficeBox
        proxyAddresses roomNumber servicePrincipalName uid url userClass
        extensionCustomAttribute1 extensionCustomAttribute2 extensionCustomAttribute3 extensionCustomAttribute4
        extensionCustomAttribute5""",
    "number": """
        accountExpires adminCount badPwdCount codePage countryCode gidNumber groupType lastLogonTimestamp lockoutTime
        msDS-User-Account-Control-Computed msExchRecipientDisplayType msExchRecipientTypeDetails primaryGroupID pwdLastSet
        sAMAccountType uidNumber userAccountControl uSNChanged uSNCreated""",
    "boolean": "isCriticalSystemObject isDeleted msExchHideFromAddressLists",
    "bytes": """
        jpegPhoto logonHours mS-DS-ConsistencyGuid msExchMailboxGuid msExchMasterAccountSid objectGUID objectSid
        msRTCSIP-OriginatorSid thumbnailLogo thumbnailPhoto""",
    "bytes[]": "sIDHistory userCertificate userSMIMECertificate",
    "link": """
        altRecipient assistant authOrig dLMemRejectPerms dLMemSubmitPerms managedBy manager member
        msExchBypassModerationLink msExchCoManagedByLink msExchDelegateListLink msExchModeratedByLink owner publicDelegates
        roleOccupant secretary seeAlso unauthOrig uniqueMember""",
}
KNOWN_ATTRIBUTES: Final[Mapping[str, TypeWord]] = {name: word for word, names in _KNOWN.items() for name in names.split()}
"""Of the schema of Active Directory and Exchange (MS-ADA1 to MS-ADA3), and of inetOrgPerson (RFC 2798)."""

SOURCE_ANCHOR: Final = "sourceAnchor"
"""Attribute of every person: what its accounts are found by again."""
ACCOUNT_ENABLED: Final = "accountEnabled"
"""Attribute of a person: False disables its accounts."""


def type_word(found: ValueType) -> str:
    """How a file would declare a type; in words where no word of a file says it."""
    return next((word for word, known in TYPES.items() if known == found), str(found))
