"""What the `webauthn` library is asked; it is imported at the first ceremony, as it costs 100 ms."""

import contextlib
import json
import logging
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from aegis import tokens
from aegis.passkeys.challenges import GOOD_FOR_S

if TYPE_CHECKING:
    from webauthn.authentication.verify_authentication_response import VerifiedAuthentication
    from webauthn.registration.verify_registration_response import VerifiedRegistration

logger = logging.getLogger(__name__)

Options = dict[str, Any]

_TIMEOUT_MS = GOOD_FOR_S * 1000


class Party(NamedTuple):
    """Who asks: the relying party's id (a host), the origin of its pages, and the name that people read."""

    host: str
    origin: str
    name: str


class NotGenuine(Exception):
    """What came back was not signed by that authenticator, for this site, for this challenge."""


def options_to_add(
    party: Party, challenge: bytes, account_id: str, username: str, known: Iterable[bytes]
) -> Options:
    """Return what a browser needs to make a passkey that can sign in without a name."""
    import webauthn  # noqa: PLC0415 - see above
    from webauthn.helpers import structs  # noqa: PLC0415 - see above

    options = webauthn.generate_registration_options(
        rp_id=party.host,
        rp_name=party.name,
        user_id=account_id.encode(),
        user_name=username,
        challenge=challenge,
        timeout=_TIMEOUT_MS,
        authenticator_selection=structs.AuthenticatorSelectionCriteria(
            resident_key=structs.ResidentKeyRequirement.REQUIRED,
            user_verification=structs.UserVerificationRequirement.REQUIRED,
        ),
        exclude_credentials=[structs.PublicKeyCredentialDescriptor(id=id_) for id_ in known],
    )
    return _plain(webauthn.options_to_json(options))


def options_to_use(party: Party, challenge: bytes, known: Iterable[bytes] = ()) -> Options:
    """Return what a browser needs to use a passkey: any of this site, unless some are named."""
    import webauthn  # noqa: PLC0415 - see above
    from webauthn.helpers import structs  # noqa: PLC0415 - see above

    options = webauthn.generate_authentication_options(
        rp_id=party.host,
        challenge=challenge,
        timeout=_TIMEOUT_MS,
        allow_credentials=[structs.PublicKeyCredentialDescriptor(id=id_) for id_ in known],
        user_verification=structs.UserVerificationRequirement.REQUIRED,
    )
    return _plain(webauthn.options_to_json(options))


def verify_new(party: Party, challenge: bytes, credential: dict[str, Any]) -> "VerifiedRegistration":
    """Return what an authenticator made. Raises NotGenuine."""
    import webauthn  # noqa: PLC0415 - see above

    with _judged():
        return webauthn.verify_registration_response(
            credential=credential,
            expected_challenge=challenge,
            expected_rp_id=party.host,
            expected_origin=party.origin,
            require_user_verification=True,
        )


def verify_use(
    party: Party, challenge: bytes, credential: dict[str, Any], public_key: bytes, sign_count: int
) -> "VerifiedAuthentication":
    """Return what an authenticator signed; a zero counter is fine, one that went back is not. Raises NotGenuine."""
    import webauthn  # noqa: PLC0415 - see above

    with _judged():
        return webauthn.verify_authentication_response(
            credential=credential,
            expected_challenge=challenge,
            expected_rp_id=party.host,
            expected_origin=party.origin,
            credential_public_key=public_key,
            credential_current_sign_count=sign_count,
            require_user_verification=True,
        )


@contextlib.contextmanager
def _judged() -> Iterator[None]:
    """Let a refusal be NotGenuine. Beside its own errors the library raises these for fields of another shape."""
    from webauthn.helpers.exceptions import WebAuthnException  # noqa: PLC0415 - see above

    try:
        yield
    except (WebAuthnException, ValueError, TypeError, LookupError, AttributeError) as error:
        logger.info("passkey_refused", extra={"aegis": {"reason": str(error)[:200]}})
        raise NotGenuine from error


def credential_hash(credential: dict[str, Any]) -> bytes | None:
    """Return the hash under which a credential is stored, or None if it names itself in no readable way."""
    from webauthn.helpers import base64url_to_bytes  # noqa: PLC0415 - see above

    given = credential.get("rawId")
    if not isinstance(given, str) or not given.isascii():
        return None
    try:
        return hash_of(base64url_to_bytes(given))
    except ValueError:
        return None


def hash_of(credential_id: bytes) -> bytes:
    """Return the hash under which a credential id is looked up; ids have up to 1023 bytes."""
    return tokens.hash_token(credential_id.hex())


def user_handle(credential: dict[str, Any]) -> str | None:
    """Return the account id that the authenticator keeps with the passkey, if it tells one."""
    from webauthn.helpers import base64url_to_bytes  # noqa: PLC0415 - see above

    response = credential.get("response")
    given = response.get("userHandle") if isinstance(response, dict) else None
    try:
        return base64url_to_bytes(given).decode() if isinstance(given, str) and given else None
    except ValueError:
        return None


def _plain(text: str) -> Options:
    options: Options = json.loads(text)
    return options
