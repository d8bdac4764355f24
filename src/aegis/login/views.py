"""HTTP of signing in and out."""

import contextlib
from collections.abc import Iterator

import flask

from aegis import clock, csrf, errors, sessions, state
from aegis.accounts.verification import Unverified
from aegis.login import devices, machine, pending, service
from aegis.login.factors import Answer
from aegis.login.machine import Came
from aegis.login.pending import SecondFactorRequired
from aegis.login.schemas import (
    CsrfToken,
    DeviceList,
    ListedDevice,
    Login,
    Message,
    Reauthenticate,
    SecondFactor,
    SignedIn,
)
from aegis.passkeys import service as passkeys
from aegis.passkeys import views as passkeys_views
from aegis.passkeys.schemas import Ceremony, SignInWithPasskey, UsePasskey
from aegis.sessions import STEPS
from aegis.sessions.model import PASSWORD
from aegis.sessions.required import before, login_required, signed_in
from aegis.sessions.schemas import User
from aegis.web import client, device, operation

blueprint = flask.Blueprint("aegis_login", __name__)


@blueprint.get("/csrf-token")
@operation(answers={200: CsrfToken})
def csrf_token() -> CsrfToken:
    """Return a form token for this visitor or session."""
    return CsrfToken(csrf_token=csrf.token())


@blueprint.post("/api/login")
@before(*STEPS)
@csrf.for_visitors
@csrf.scripts_need_no_token
@operation(
    body=Login,
    answers={200: SignedIn},
    errors=(
        errors.InvalidCredentials,
        errors.SecondFactorRequired,
        errors.EmailUnverified,
        errors.RateLimited,
        errors.Busy,
    ),
)
def login(body: Login) -> SignedIn:
    """Sign in. The session of the cookie that came along, if any, ends."""
    sign_in(body)
    return SignedIn(message="You are signed in.", user=User.of(signed_in().account))


def sign_in(typed: Login) -> None:
    """Sign in and answer this request with the cookies; JSON and page views share it.

    Where a second factor is asked for, the refusal comes with the cookie of the sign-in that may go on.
    """
    brought = came(stays=typed.remember)
    with _keeping_browser():
        _answer_with(
            service.with_password(state.current(), typed.username, typed.password, client(), brought)
        )


@contextlib.contextmanager
def _keeping_browser() -> Iterator[None]:
    """Where a sign-in has to go on in the same browser, give that what it needs."""
    try:
        yield
    except Unverified as refusal:
        sessions.keep_visitor_seed(refusal.browser)
        raise
    except SecondFactorRequired as refusal:
        token = refusal.token
        sessions.keep_visitor_seed(refusal.browser)
        flask.after_this_request(lambda response: _give_pending(response, token))
        raise


def came(*, stays: bool = False) -> Came:
    """Return what the browser brought along. Raises InvalidInput where it cannot stay signed in."""
    if stays and not state.current().settings.remember_s:
        raise errors.InvalidInput(fields={"remember": "Staying signed in is not offered here."})
    return Came(
        device=flask.request.cookies.get(_device_cookie()),
        browser=sessions.visitor_seed(create=False),
        replaces=sessions.presented_token(),
        pending=sessions.token_in(flask.request.environ.get("HTTP_COOKIE", ""), _pending_cookie()),
        remembrance=sessions.presented_remembrance(),
        stays=stays,
    )


@blueprint.post("/api/login/mfa")
@before(*STEPS)
@csrf.for_visitors
@operation(
    body=SecondFactor,
    answers={200: SignedIn},
    errors=(
        errors.InvalidCredentials,
        errors.SignInExpired,
        errors.EmailUnverified,
        errors.RateLimited,
        errors.NotFound,
    ),
)
def login_with_factor(body: SecondFactor) -> SignedIn:
    """Give the second factor of a sign-in that was answered mfa_required, in the same browser, within ten minutes."""
    sign_in_with_factor(body)
    return SignedIn(message="You are signed in.", user=User.of(signed_in().account))


def sign_in_with_factor(typed: SecondFactor) -> None:
    """Give the second factor and answer this request with the cookies; JSON and page views share it."""
    with _keeping_browser():
        _answer_with(service.with_factor(state.current(), typed.method, _answer(typed), client(), came()))
    flask.after_this_request(lambda response: _give_pending(response, None))


def _answer(typed: SecondFactor | Reauthenticate) -> Answer:
    credential = typed.credential
    return Answer(typed.code or "", passkeys_views.answered(credential) if credential else None)


@blueprint.post("/api/login/passkey/options")
@csrf.for_visitors
@operation(answers={200: Ceremony}, errors=(errors.NotFound,))
def begin_passkey() -> Ceremony:
    """Begin a sign-in without a name: the answer is for navigator.credentials.get."""
    browser = service.browser_of(sessions.visitor_seed(create=True))
    return passkeys_views.remember(passkeys.begin_signing_in(state.current(), browser, passkeys_views.host()))


@blueprint.post("/api/login/passkey")
@before(*STEPS)
@csrf.for_visitors
@operation(
    body=SignInWithPasskey,
    answers={200: SignedIn},
    errors=(errors.InvalidCredentials, errors.EmailUnverified, errors.RateLimited, errors.NotFound),
)
def login_with_passkey(body: SignInWithPasskey) -> SignedIn:
    """Sign in with a passkey. The session of the cookie that came along, if any, ends."""
    sign_in_with_passkey(body)
    return SignedIn(message="You are signed in.", user=User.of(signed_in().account))


def sign_in_with_passkey(typed: SignInWithPasskey) -> None:
    """Sign in and answer this request with the cookies; JSON and page views share it."""
    answered = passkeys_views.answered(typed.credential)
    brought = came(stays=typed.remember)
    with _keeping_browser():
        _answer_with(service.with_passkey(state.current(), answered, client(), brought))


def _answer_with(signed: machine.SignedIn) -> None:
    sessions.give_cookie(signed.token)
    if kept := signed.remembrance:
        sessions.remember(kept.cookie, kept.expires_at - clock.now())
    elif sessions.presented_remembrance():
        sessions.remember(None)
    flask.after_this_request(lambda response: _give_device(response, signed.device))


def _device_cookie() -> str:
    return state.current().settings.cookie_prefix + "device"


def _give_device(response: flask.Response, cookie: str) -> flask.Response:
    return _set_cookie(response, _device_cookie(), cookie, devices.KEPT_S)


def _pending_cookie() -> str:
    return state.current().settings.cookie_prefix + "pending"


def _give_pending(response: flask.Response, token: str | None) -> flask.Response:
    return _set_cookie(response, _pending_cookie(), token or "", pending.LASTS_S if token else 0)


def _set_cookie(response: flask.Response, name: str, value: str, max_age_s: int) -> flask.Response:
    secure = state.current().settings.session_cookie_secure
    response.set_cookie(
        name, value, max_age=max_age_s, path="/", secure=secure, httponly=True, samesite="Lax"
    )
    return response


@blueprint.post("/api/reauthenticate")
@before(*STEPS)
@login_required
@operation(
    body=Reauthenticate,
    answers={200: SignedIn},
    errors=(errors.InvalidCredentials, errors.RateLimited, errors.Busy),
)
def reauthenticate(body: Reauthenticate) -> SignedIn:
    """Confirm the password, or a second factor: the session gets a new token and counts as fresh.

    With a second factor its level is 2 from now on.
    """
    confirm(body)
    return SignedIn(message="Thank you. You can go on.", user=User.of(signed_in().account))


def confirm(typed: Reauthenticate) -> None:
    """Confirm and answer this request with the renewed cookie; JSON and page views share it."""
    if typed.method == PASSWORD and not typed.password:
        raise errors.InvalidInput(fields={"password": "Please fill this in."})
    proof = (state.current(), signed_in(), sessions.presented_token() or "")
    if typed.method == PASSWORD:
        sessions.give_cookie(service.again(*proof, typed.password or "", client()))
    else:
        sessions.give_cookie(
            service.again_with_factor(*proof, client(), factor=typed.method, answer=_answer(typed))
        )


@blueprint.post("/api/reauthenticate/passkey/options")
@before(*STEPS)
@login_required
@operation(answers={200: Ceremony}, errors=(errors.NotFound,))
def begin_confirming() -> Ceremony:
    """Begin to confirm who is there by an own passkey: the answer is for navigator.credentials.get."""
    return passkeys_views.remember(
        passkeys.begin_confirming(state.current(), signed_in(), passkeys_views.host())
    )


@blueprint.post("/api/reauthenticate/passkey")
@before(*STEPS)
@login_required
@operation(
    body=UsePasskey,
    answers={200: SignedIn},
    errors=(errors.InvalidCredentials, errors.RateLimited, errors.NotFound),
)
def reauthenticate_with_passkey(body: UsePasskey) -> SignedIn:
    """Confirm by a passkey: the session gets a new token, counts as fresh and has two factors."""
    confirm_with_passkey(body)
    return SignedIn(message="Thank you. You can go on.", user=User.of(signed_in().account))


def confirm_with_passkey(typed: UsePasskey) -> None:
    """Confirm by a passkey and answer this request with the renewed cookie."""
    confirm(Reauthenticate(method="passkey", credential=typed.credential))


@blueprint.get("/api/devices")
@login_required
@operation(answers={200: DeviceList})
def list_devices() -> DeviceList:
    """List the devices on which the account signed in before; each keeps a way in while strangers are refused."""
    own = signed_in().account_id
    current = current_device()
    return DeviceList(devices=[listed(item, current) for item in devices.list_of(own)])


@blueprint.delete("/api/devices/<device_id>")
@login_required
@operation(answers={200: Message}, errors=(errors.NotFound,))
def forget_device(device_id: str) -> Message:
    """Make one of the own devices a stranger. Its sessions go on: end them at /api/sessions."""
    devices.forget(signed_in().account_id, device_id, client())
    return Message(message="The device is forgotten.")


def current_device() -> str | None:
    """Return the id under which the signed-in account knows this browser, if it does."""
    cookie = flask.request.cookies.get(_device_cookie())
    return devices.find(signed_in().account_id, devices.token_of(cookie, state.current().keyring))


def listed(item: devices.Device, current: str | None) -> ListedDevice:
    """Show a device; `current` is the one of the request, if it is one."""
    return ListedDevice(
        id=item.id,
        device=device.describe(item.user_agent),
        first_seen_at=clock.as_text(item.first_seen_at),
        last_seen_at=clock.as_text(item.last_seen_at),
        is_current=item.id == current,
    )


@blueprint.post("/api/logout")
@operation(answers={200: Message})
def logout() -> flask.Response:
    """End the session on the server and tell the browser to forget what it keeps of this site."""
    sign_out()
    message = Message(message="You are signed out.").model_dump_json()
    return with_clear_site_data(flask.Response(message, mimetype="application/json"))


def sign_out() -> None:
    """End the session and answer this request with the cookie's deletion."""
    kept = sessions.presented_remembrance()
    service.out(sessions.current(), sessions.presented_token(), kept, client())
    sessions.forget_cookie()
    if kept:
        sessions.remember(None)
    flask.session.clear()


def with_clear_site_data(response: flask.Response) -> flask.Response:
    """Let the browser drop cached pages and stored data, so that Back shows nothing of the account.

    Not all cookies: the device stays known, so that its owner gets in while strangers are being refused.
    """
    response.headers["Clear-Site-Data"] = '"cache", "storage"'
    return response
