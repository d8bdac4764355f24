"""HTTP of the own account."""

import flask

from aegis import audit, clock, csrf, errors, sessions, state, throttle, uploads
from aegis.accounts import avatars, ending, service, verification
from aegis.accounts.schemas import (
    Activity,
    ActivityQuery,
    Changed,
    ChangeEmail,
    ChangePassword,
    ChangeProfile,
    Done,
    Happened,
    Profile,
    ProfileAnswer,
    Register,
    Registered,
    ResendCode,
    VerifyEmail,
)
from aegis.audit import sentences
from aegis.proofs import Holder
from aegis.sessions import CHANGE_PASSWORD, remembrance
from aegis.sessions import service as session_service
from aegis.sessions.required import before, fresh_login_required, login_required, signed_in
from aegis.sessions.schemas import (
    Ended,
    ListedSession,
    RememberedBrowser,
    RememberedBrowsers,
    SessionList,
    User,
)
from aegis.web import client, operation, read_query, read_upload, takes_upload

blueprint = flask.Blueprint("aegis_accounts", __name__, url_prefix="/api")
pictures = flask.Blueprint("aegis_pictures", __name__)

RESENT = "If this address waits for a code here, another one is on its way."

AVATAR = "avatar"
"""The field in which a picture comes."""

ACTIVITY_PAGE = 50
"""Lines of one answer about the own activity."""

PICTURE_POLICY = "default-src 'none'; sandbox"
"""Opened by itself, a picture runs nothing, whatever a browser might take it for."""

FOR_EVER = "public, max-age=31536000, immutable"
"""A picture never changes: another one has another name."""


@blueprint.post("/register")
@csrf.for_visitors
@operation(body=Register, answers={201: Registered}, errors=(errors.Busy, errors.RateLimited))
def register(body: Register) -> tuple[Registered, int]:
    """Create an account. It does not sign in."""
    account = sign_up(body)
    user = User(
        id=account.id,
        username=account.username,
        display_name=account.display_name,
        email=account.email or account.pending_email,
        role=account.role,
    )
    next_step = (
        f"Type the code that we sent to {account.pending_email}."
        if account.pending_email
        else "You can sign in now."
    )
    return Registered(message=f"Your account was created. {next_step}", user=user), 201


def sign_up(body: Register) -> service.Account:
    """Create an account; JSON and page views share it.

    What counts against the address is an account, or an answer that tells of somebody else's; a pupil whose password
    is too short uses nothing up.
    """
    application = state.current()
    network = throttle.network(client().address, application.settings.limit_ipv6_prefix)
    subject = throttle.Subject("address", network, application.settings.limit_register_address)
    with throttle.attempt("register", [subject], client()) as attempt:
        try:
            return service.register(
                body.username,
                body.password,
                body.email,
                application.settings,
                application.hasher,
                client=client(),
                browser=sessions.visitor_seed(create=True),
            )
        except errors.InvalidInput as fault:
            if not service.tells_of_others(fault):
                attempt.undo()
            raise


@blueprint.post("/verify-email")
@csrf.for_visitors
@operation(body=VerifyEmail, answers={200: Done}, errors=(errors.NotFound, errors.RateLimited))
def verify_email(body: VerifyEmail) -> Done:
    """Confirm an address by the code that went there: in the browser, or by the account, that asked for it."""
    verification.confirm(state.current(), body.email, body.code, holder(), client())
    return Done(message="Your e-mail address is confirmed.")


@blueprint.post("/verify-email/resend")
@csrf.for_visitors
@operation(body=ResendCode, answers={200: Done}, errors=(errors.NotFound, errors.RateLimited))
def resend_code(body: ResendCode) -> Done:
    """Send another code to an address that this browser or account gave before; the one before is void."""
    verification.resend(state.current(), body.email, holder(), client())
    return Done(message=RESENT)


def holder() -> Holder:
    """Return who gives a code: the signed-in account, and the browser."""
    session = sessions.current()
    return Holder(session.account_id if session else None, sessions.visitor_seed(create=False))


@blueprint.get("/profile")
@login_required
@operation(answers={200: ProfileAnswer})
def profile() -> ProfileAnswer:
    """Return the own account."""
    return ProfileAnswer(user=_shown(service.get(signed_in().account_id)))


@blueprint.post("/profile")
@login_required
@operation(body=ChangeProfile, answers={200: Changed})
def change_profile(body: ChangeProfile) -> Changed:
    """Change the own display name or bio; what is left out stays."""
    account = service.change_profile(
        signed_in().account_id,
        client(),
        display_name=body.display_name,
        bio=body.bio,
        notices_wanted=body.notices,
    )
    return Changed(message="Your profile was saved.", user=_shown(account))


@blueprint.post("/profile/avatar")
@takes_upload
@login_required
@operation(
    file=AVATAR,
    answers={200: Changed},
    errors=(errors.Busy, errors.RateLimited, errors.Unavailable),
)
def change_avatar() -> Changed:
    """Change the own picture: a PNG, JPEG or GIF, of which a square of 256 pixels is kept."""
    account = service.change_avatar(state.current(), signed_in(), client(), read_upload(AVATAR))
    return Changed(message="Your picture was saved.", user=_shown(account))


@blueprint.delete("/profile/avatar")
@login_required
@operation(answers={200: Changed}, errors=(errors.Unavailable,))
def remove_avatar() -> Changed:
    """Remove the own picture."""
    account = service.remove_avatar(state.current(), signed_in(), client())
    return Changed(message="Your picture was removed.", user=_shown(account))


@pictures.get("/avatars/<name>")
def picture(name: str) -> flask.Response:
    """Send a picture under the type it was made in; whoever knows its random name may see it."""
    content = state.current().uploads.get(name) if uploads.NAME.fullmatch(name) else None
    if content is None:
        raise errors.NotFound
    response = flask.Response(content, mimetype=avatars.MEDIA_TYPE)
    response.headers["Cache-Control"] = FOR_EVER
    response.headers["Content-Security-Policy"] = PICTURE_POLICY
    response.headers["Content-Disposition"] = 'inline; filename="picture.webp"'
    response.set_etag(name.partition(".")[0])
    response.make_conditional(flask.request)
    return response


def avatar_url(name: str | None) -> str | None:
    """Return the address of a stored picture."""
    return flask.url_for("aegis_pictures.picture", name=name) if name else None


@blueprint.post("/profile/change-email")
@fresh_login_required
@operation(body=ChangeEmail, answers={200: Changed}, errors=(errors.Conflict, errors.RateLimited))
def change_email(body: ChangeEmail) -> Changed:
    """Change the own e-mail address; needs a fresh sign-in, as the address can win the account back.

    Where mails arrive, a code goes to the new one, and POST /api/verify-email completes the change.
    """
    account = new_address(body.email)
    asked = verification.waiting(state.current(), account)
    message = f"Type the code that we sent to {asked}." if asked else "Your e-mail address was saved."
    return Changed(message=message, user=_shown(account))


def new_address(email: str) -> service.Account:
    """Change the own address; JSON and page views share it."""
    seed = sessions.visitor_seed(create=False)
    return service.change_email(state.current(), signed_in().account_id, email, client(), seed)


@blueprint.post("/profile/change-password")
@before(CHANGE_PASSWORD)
@login_required
@operation(body=ChangePassword, answers={200: Changed}, errors=(errors.Busy, errors.RateLimited))
def change_password(body: ChangePassword) -> Changed:
    """Change the own password, end all other sessions and renew this one."""
    renew_password(body)
    user = _shown(service.get(signed_in().account_id))
    return Changed(message="Your password was changed. All other sessions have ended.", user=user)


def renew_password(body: ChangePassword) -> None:
    """Change the password and answer this request with the renewed cookie; JSON and page views share it."""
    token = service.change_password(
        state.current(),
        signed_in(),
        sessions.presented_token() or "",
        client(),
        current=body.current_password,
        new=body.new_password,
    )
    sessions.give_cookie(token)


@blueprint.get("/sessions")
@login_required
@operation(answers={200: SessionList})
def list_sessions() -> SessionList:
    """List the own live sessions with device, address and last use."""
    own = signed_in()
    listed = session_service.list_of(own.account_id, state.current().settings)
    return SessionList(sessions=[ListedSession.of(item, own.id) for item in listed])


@blueprint.delete("/sessions/<session_id>")
@login_required
@operation(answers={200: Ended}, errors=(errors.NotFound,))
def end_session(session_id: str) -> Ended:
    """End one of the own sessions, in every process at once."""
    own = signed_in()
    ending.end_session(own.account_id, session_id, client())
    if session_id == own.id:
        sessions.forget_cookie()
    return Ended(message="The session has ended.", ended=1)


@blueprint.delete("/sessions")
@login_required
@operation(answers={200: Ended})
def end_other_sessions() -> Ended:
    """End all own sessions but this one."""
    own = signed_in()
    ended = ending.revoke_sessions(own.account_id, client(), but=own.id)
    return Ended(message="All other sessions have ended.", ended=ended)


@blueprint.get("/remembered-browsers")
@login_required
@operation(answers={200: RememberedBrowsers})
def list_remembered() -> RememberedBrowsers:
    """List the browsers that stay signed in, the latest used first."""
    return RememberedBrowsers(browsers=own_remembered())


def own_remembered() -> list[RememberedBrowser]:
    """Return the own browsers that stay signed in; JSON and page views share it."""
    own = signed_in()
    current = remembrance.of_session(own.account_id, own.id)
    return [RememberedBrowser.of(item, current) for item in remembrance.list_of(own.account_id)]


@blueprint.delete("/remembered-browsers/<remembrance_id>")
@login_required
@operation(answers={200: Done}, errors=(errors.NotFound,))
def end_remembrance(remembrance_id: str) -> Done:
    """Let a browser not stay signed in any more, and end the sessions that it opened."""
    forget_browser(remembrance_id)
    return Done(message="That browser does not stay signed in any more.")


def forget_browser(remembrance_id: str) -> None:
    """Forget a browser; where it is this one, the request goes on as a visitor's. JSON and page views share it."""
    own = signed_in()
    is_this = remembrance.of_session(own.account_id, own.id) == remembrance_id
    ending.end_remembrance(own.account_id, remembrance_id, client())
    if is_this:
        sessions.forget_cookie()
        sessions.remember(None)


@blueprint.get("/activity")
@login_required
@operation(
    answers={200: Activity},
    errors=(errors.InvalidInput,),
    query={"cursor": "The `next` of the page before; without it, the latest."},
)
def activity() -> Activity:
    """Tell what happened to the own account, in plain words, the latest first."""
    return own_activity(read_query(ActivityQuery).cursor)


def own_activity(cursor: str | None = None, limit: int = ACTIVITY_PAGE) -> Activity:
    """Return a page of the own activity; JSON and page views share it."""
    own = signed_in().account_id
    found, following = audit.page(cursor, limit, account_id=own, events=sentences.SHOWN)
    return Activity(activity=[Happened.of(seen) for seen in found], next=following)


def _shown(account: service.Account) -> Profile:
    return Profile(
        id=account.id,
        username=account.username,
        display_name=account.display_name,
        email=account.email,
        email_verified=account.email_verified_at is not None,
        pending_email=account.pending_email,
        notices="critical" if account.mutes_notices else "all",
        role=account.role,
        bio=account.bio,
        avatar_url=avatar_url(account.avatar),
        created_at=clock.as_text(account.created_at),
    )
