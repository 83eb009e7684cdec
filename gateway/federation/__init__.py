"""What an application meets: claims, trusts, signing keys, OpenID Connect and SAML 2.0.

    trusts/        which applications there are, and what each may do: model, reading, registry
    claims/        pure: from a person to what a trust is told
    keys/          signing keys in rings, and their rollover
    oidc/          OpenID Connect and OAuth 2: the checks are pure, joserfc is seen here only
    saml/          SAML 2.0 identity provider: pysaml2 is seen here only
    inspection/    what an operator looks at: claims before anybody signs in, tokens that turned up
    presets/       trusts of well-known applications with gaps to fill, and what is to be entered there
    provider       all of it, put together
    person_applications   what one person may start, and has let in
    trials/        a signing key signs for one session before it signs for everybody
    transactions   a sign-in for an application while the person is at the sign-in page
    outbound       what the relay asks of applications' servers; destinations: where it may connect to
    account_sweep  asks whether accounts still live behind what nobody uses
    sessions/      sessions as an administrator sees and ends them
    participants   who hangs on a session, and how they are told of its end
    applications   what the sign-in page knows of the application that waits; logos: the pictures of applications
    refused_requests metrics   what was refused and issued: in the trail, and counted; rates: how much in a minute
    settings

What belongs here: the words of applications. What does not: who a person is (signin, relay), how things are kept (store).
"""

from gateway.federation.account_sweep import AccountSweep
from gateway.federation.inspection import (
    ClaimsPreviewView,
    EvidenceView,
    IssuedSearch,
    IssueView,
    inspection_orders,
)
from gateway.federation.keys import Ring
from gateway.federation.keys.rollover import ROLLOVER_STATES, KeyActs, KeyGauges, RingHealth, RingView, key_orders
from gateway.federation.logos import LARGEST_LOGO, Logos, LogoView, PutLogo, logo_orders, put_logo
from gateway.federation.metrics import FederationMetrics
from gateway.federation.outbound import Outbound, open_outbound
from gateway.federation.presets import PresetUnfit, fill_paste, fill_preset, preset_names, read_preset, relay_addresses
from gateway.federation.provider import Federation, key_context
from gateway.federation.saml import (
    LARGEST_METADATA,
    MetadataImport,
    MetadataRefused,
    MetadataSource,
    MetadataView,
    import_metadata,
    metadata_orders,
)
from gateway.federation.sessions import (
    SessionActs,
    SessionEnding,
    SessionListView,
    SessionSelection,
    UnreachedApplications,
    session_orders,
)
from gateway.federation.settings import FederationSettings
from gateway.federation.trials import TrialActs, TrialAddressView, trial_orders
from gateway.federation.trusts import (
    MOST_SECRETS,
    ClientSecret,
    Trust,
    TrustActs,
    TrustChangeView,
    TrustFolder,
    TrustRegistry,
    TrustView,
    file_problems,
    make_secret,
    read_trust,
    trust_orders,
    write_trust,
)

__all__ = [
    "LARGEST_LOGO",
    "LARGEST_METADATA",
    "MOST_SECRETS",
    "ROLLOVER_STATES",
    "AccountSweep",
    "ClaimsPreviewView",
    "ClientSecret",
    "EvidenceView",
    "Federation",
    "FederationMetrics",
    "FederationSettings",
    "IssueView",
    "IssuedSearch",
    "KeyActs",
    "KeyGauges",
    "LogoView",
    "Logos",
    "MetadataImport",
    "MetadataRefused",
    "MetadataSource",
    "MetadataView",
    "Outbound",
    "PresetUnfit",
    "PutLogo",
    "Ring",
    "RingHealth",
    "RingView",
    "SessionActs",
    "SessionEnding",
    "SessionListView",
    "SessionSelection",
    "TrialActs",
    "TrialAddressView",
    "Trust",
    "TrustActs",
    "TrustChangeView",
    "TrustFolder",
    "TrustRegistry",
    "TrustView",
    "UnreachedApplications",
    "file_problems",
    "fill_paste",
    "fill_preset",
    "import_metadata",
    "inspection_orders",
    "key_context",
    "key_orders",
    "logo_orders",
    "make_secret",
    "metadata_orders",
    "open_outbound",
    "preset_names",
    "put_logo",
    "read_preset",
    "read_trust",
    "relay_addresses",
    "session_orders",
    "trial_orders",
    "trust_orders",
    "write_trust",
]
