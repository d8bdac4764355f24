"""The settings against abuse: limits on guessing, and on what comes in."""

import dataclasses

from aegis.settings import limit, parse
from aegis.settings.declaration import setting


@dataclasses.dataclass(frozen=True, kw_only=True)
class Abuse:
    """What may be tried how often, and how large a request may be."""

    limit_login_account: limit.Limit = setting(
        "AEGIS_LIMIT_LOGIN_ACCOUNT",
        limit.read,
        limit.Limit(10, 9600),
        "Failed sign-ins on one account from devices it does not know: 100 in the first day (NIST 800-63B-4 section 3.2.2).",
        rule="at most 100 a day",
    )
    limit_login_device: limit.Limit = setting(
        "AEGIS_LIMIT_LOGIN_DEVICE",
        limit.read,
        limit.Limit(10, 9600),
        "Failed sign-ins on one account from a device that signed in before: its own budget, while strangers are refused.",
        rule="at most 100 a day",
    )
    limit_login_pair: limit.Limit = setting(
        "AEGIS_LIMIT_LOGIN_PAIR",
        limit.read,
        limit.Limit(6, 5760),
        "Failed sign-ins on one account from one address: less than the account's, so that one attacker alone cannot use that up.",
    )
    limit_login_address: limit.Limit = setting(
        "AEGIS_LIMIT_LOGIN_ADDRESS",
        limit.read,
        limit.Limit(20, 1200),
        "Failed sign-ins from one address; right passwords use nothing up, so a whole school may share it.",
    )
    limit_confirm: limit.Limit = setting(
        "AEGIS_LIMIT_CONFIRM",
        limit.read,
        limit.Limit(10, 9600),
        "Wrong passwords of one account inside its sessions: confirming one, changing the password.",
        rule="at most 100 a day",
    )
    limit_second_factor: limit.Limit = setting(
        "AEGIS_LIMIT_SECOND_FACTOR",
        limit.read,
        limit.Limit(10, 9600),
        "Wrong codes of one account after the right password; a device that signed in before has as many of its own.",
        rule="at most 100 a day",
    )
    limit_reset_mailbox: limit.Limit = setting(
        "AEGIS_LIMIT_RESET_MAILBOX",
        limit.read,
        limit.Limit(5, 3600),
        "Mails with a link for a new password to one address.",
    )
    limit_reset_address: limit.Limit = setting(
        "AEGIS_LIMIT_RESET_ADDRESS",
        limit.read,
        limit.Limit(30, 3600),
        "Requests for a new password, and wrong codes, from one address.",
    )
    limit_code_mailbox: limit.Limit = setting(
        "AEGIS_LIMIT_CODE_MAILBOX",
        limit.read,
        limit.Limit(5, 3600),
        "Mails with a code that proves an address, to one address.",
    )
    limit_code_address: limit.Limit = setting(
        "AEGIS_LIMIT_CODE_ADDRESS",
        limit.read,
        limit.Limit(30, 3600),
        "Requests for such codes, and wrong ones, from one address.",
    )
    limit_export_account: limit.Limit = setting(
        "AEGIS_LIMIT_EXPORT_ACCOUNT",
        limit.read,
        limit.Limit(5, 3600),
        "Copies of the own data that one account may take along.",
    )
    limit_register_address: limit.Limit = setting(
        "AEGIS_LIMIT_REGISTER_ADDRESS",
        limit.read,
        limit.Limit(60, 3600),
        "Registrations from one address, sized for two classes that start together.",
    )
    limit_upload_account: limit.Limit = setting(
        "AEGIS_LIMIT_UPLOAD_ACCOUNT",
        limit.read,
        limit.Limit(20, 3600),
        "Pictures that one account uploads, refused ones included: each costs the work of decoding.",
    )
    limit_ipv6_prefix: int = setting(
        "AEGIS_LIMIT_IPV6_PREFIX",
        parse.integer(32, 128),
        64,
        "Bits of an IPv6 address that make one customer.",
        unit="bits",
    )
    body_limit: int = setting(
        "AEGIS_BODY_LIMIT",
        parse.integer(1024, 1_073_741_824),
        1_048_576,
        "Longest request body.",
        unit="bytes",
    )
    input_depth: int = setting(
        "AEGIS_INPUT_DEPTH",
        parse.integer(2, 100),
        8,
        "Nested arrays and objects in a JSON body; no schema here needs more than four.",
    )
    input_fields: int = setting(
        "AEGIS_INPUT_FIELDS",
        parse.integer(20, 10_000),
        200,
        "Fields of a form, parts of a multipart body, members of a JSON object.",
    )
    input_query: int = setting(
        "AEGIS_INPUT_QUERY",
        parse.integer(256, 65_536),
        4096,
        "Longest path, and longest query, of an address.",
        unit="bytes",
    )
    input_headers: int = setting(
        "AEGIS_INPUT_HEADERS",
        parse.integer(20, 1000),
        100,
        "Headers of a request.",
    )
    input_header_size: int = setting(
        "AEGIS_INPUT_HEADER_SIZE",
        parse.integer(2048, 1_048_576),
        32_768,
        "All headers of a request together, without cookies.",
        unit="bytes",
    )
    input_upload: int = setting(
        "AEGIS_INPUT_UPLOAD",
        parse.integer(1024, 104_857_600),
        5_242_880,
        "Longest uploaded file, such as a picture of oneself.",
        unit="bytes",
    )
    input_image_side: int = setting(
        "AEGIS_INPUT_IMAGE_SIDE",
        parse.integer(256, 8192),
        4096,
        "Longest side of an uploaded picture; a larger one is refused before it is decoded.",
        unit="pixels",
    )
