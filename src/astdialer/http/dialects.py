"""Every API that is spoken here, and in what words each tells others what has happened."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from astdialer.domain.hooks import Form
from astdialer.engine.webhooks import Words, native_words
from astdialer.http.dialect import Dialect
from astdialer.http.twin24 import api as twin24
from astdialer.http.twin24.words import twin24_words
from astdialer.http.ucontact import api as ucontact
from astdialer.http.v1 import api as native
from astdialer.http.webitel3 import api as webitel3
from astdialer.http.webitel3.words import webitel_words
from astdialer.http.webitel4 import api as webitel4
from astdialer.http.webitel4.words import call_words

#: How each form of webhook says it.
WORDS: Mapping[Form, Words] = {
    Form.NATIVE: native_words,
    Form.TWIN24: twin24_words,
    Form.WEBITEL: webitel_words,
    Form.WEBITEL_CALL: call_words,
}


def dialects() -> Sequence[Dialect]:
    """In the order in which a path is looked up."""
    return (
        native.dialect(),
        ucontact.dialect(),
        webitel3.dialect(),
        webitel4.dialect(),
        twin24.dialect(),
    )
