"""Types of attributes, as in the schemas of Active Directory (MS-ADA1 to 3) and LDAP servers (RFC 4519, 2798, 2307).

Only what is not text stands here. Times stay as the directory writes them: text (`whenCreated`: GeneralizedTime) or a number
(`accountExpires`: FILETIME), since only rules know what to do with them.
"""

from __future__ import annotations

import enum


class AttributeType(enum.StrEnum):
    """What the values of an attribute are to rules."""

    TEXT = "text"
    NUMBER = "number"
    """A whole number of at most 64 bits; bit fields too."""
    BOOLEAN = "boolean"
    BINARY = "binary"
    """Octet strings."""
    LINK = "link"
    """Names other objects: told as links, never as values."""


_AD = {
    AttributeType.NUMBER: """
        accountExpires adminCount badPasswordTime badPwdCount codePage countryCode groupType instanceType
        lastLogoff lastLogon lastLogonTimestamp localPolicyFlags lockoutTime logonCount maxStorage msDS-KeyVersionNumber
        msDS-SupportedEncryptionTypes msDS-User-Account-Control-Computed msDS-UserPasswordExpiryTimeComputed
        msExchArchiveQuota msExchArchiveStatus msExchArchiveWarnQuota
        msExchELCMailboxFlags msExchGroupDepartRestriction msExchGroupJoinRestriction msExchMailboxAuditLogAgeLimit
        msExchModerationFlags msExchRecipientDisplayType msExchRecipientTypeDetails msExchRecipientSoftDeletedStatus
        msExchRemoteRecipientType msExchResourceCapacity msExchVersion primaryGroupID pwdLastSet sAMAccountType
        systemFlags userAccountControl uSNChanged uSNCreated
    """,
    AttributeType.BOOLEAN: """
        isCriticalSystemObject isDeleted isRecycled mDBUseDefaults msDS-UserDontExpirePassword
        msDS-UserAccountDisabled msDS-UserPasswordExpired msExchEnableModeration
        msExchHideFromAddressLists msExchMailboxAuditEnable msExchRequireAuthToSendTo
        msNPAllowDialin oOFReplyToOriginator reportToOriginator reportToOwner showInAdvancedViewOnly
    """,
    AttributeType.BINARY: """
        audio auditingPolicy jpegPhoto logonHours mS-DS-ConsistencyGuid mS-DS-CreatorSID
        msExchArchiveGUID msExchBlockedSendersHash msExchMailboxGuid msExchMasterAccountSid msExchSafeRecipientsHash
        msExchSafeSendersHash nTSecurityDescriptor objectGUID objectSid parentGUID photo
        sIDHistory thumbnailLogo thumbnailPhoto tokenGroups userCert userCertificate
        userPKCS12 userSMIMECertificate
    """,
    AttributeType.LINK: """
        altRecipient assistant authOrig dLMemRejectPerms dLMemSubmitPerms homeMDB managedBy manager member
        msExchBypassModerationLink msExchCoManagedByLink msExchDelegateListLink
        msExchModeratedByLink owner publicDelegates roleOccupant secretary seeAlso unauthOrig uniqueMember
    """,
}
_LDAP = {
    AttributeType.NUMBER: """
        gidNumber shadowExpire shadowFlag shadowInactive shadowLastChange shadowMax shadowMin shadowWarning uidNumber
    """,
    AttributeType.BOOLEAN: "hasSubordinates nsAccountLock pwdReset",
    AttributeType.BINARY: """
        authorityRevocationList cACertificate certificateRevocationList crossCertificatePair userPassword
        x500UniqueIdentifier
    """,
}
_NAMES = {
    AttributeType.TEXT: """
        c cn co comment company department departmentNumber description displayName distinguishedName division employeeID
        employeeNumber employeeType facsimileTelephoneNumber gecos generationQualifier givenName homeDirectory homeDrive
        homePhone homePostalAddress info initials ipPhone isMemberOfDL l labeledURI legacyExchangeDN loginShell mail
        mailNickname memberUid middleName mobile name o objectCategory objectClass otherFacsimileTelephoneNumber
        otherHomePhone otherIpPhone otherMailbox otherMobile otherPager otherTelephone ou pager personalTitle
        physicalDeliveryOfficeName postalAddress postalCode postOfficeBox preferredDeliveryMethod preferredLanguage
        profilePath proxyAddresses roomNumber sAMAccountName scriptPath servicePrincipalName sn st street streetAddress
        targetAddress telephoneAssistant telephoneNumber textEncodedORAddress title uid url userPrincipalName
        userWorkstations whenChanged whenCreated wWWHomePage
    """,
}

BUILT_IN: dict[str, tuple[str, AttributeType]] = {
    name.lower(): (name, kind) for table in (_NAMES, _LDAP, _AD) for kind, names in table.items() for name in names.split()
}
"""By name in lower case: the name as the schema spells it, and its type."""
