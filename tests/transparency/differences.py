"""All that may differ between an app asked directly and the same app asked through the proxy, each with its reason.

Whatever is not named here is compared byte for byte: the status, the reason phrase, every value of every other field with
their order under one name, the body, and, of what the app saw, method, target, fields and body.
"""

# Fields of the answer that the proxy adds, with all that it says in them. They come after the app's own of that name.
ADDED = {
    b"via": b"1.1 aside",  # RFC 9110 section 7.6.3 asks every proxy for it
    b"cache-status": b"aside; fwd=",  # how the answer came about (RFC 9211); this is how the value begins
    b"x-cache": b"BYPASS",  # the same in a word; an app's own would say nothing of this hop and is replaced
}

# Fields of the answer that clients see only without the proxy.
DROPPED = {
    b"surrogate-key": "names for caches, which the proxy is; `pass_tags` sends them on",
    b"xkey": "names for caches",
    b"cache-tag": "names for caches",
}

# Fields of the answer that are not compared.
NOT_COMPARED = {
    b"date": "each answer has the moment it was made at; both have one",
    b"connection": "speaks of one connection (RFC 9110 section 7.6.1): towards the client the proxy keeps it open",
    b"keep-alive": "speaks of one connection: gunicorn and Node tell theirs",
    b"transfer-encoding": "framing belongs to one hop (RFC 9112 section 6.1); the body that comes out of it is compared",
    b"trailer": "announces trailers, and those of an answer are not forwarded",
    b"proxy-authenticate": "for the next hop (RFC 9110 section 11.7.1), and that is the proxy",
    b"upgrade": "speaks of one connection",
}

# Fields of the request that the app sees only through the proxy.
SEEN_ADDED = {
    "via": ("1.1 aside", "1.0 aside"),  # RFC 9110 section 7.6.3: with the version that the client spoke
    "x-forwarded-for": "127.0.0.1",  # whom the app would have seen as its peer
    "x-forwarded-proto": "http",  # the scheme by which the client asked
    "x-forwarded-host": None,  # the Host that the client sent, and that the app sees as its own
}

# Fields of the request that the app sees only without the proxy.
SEEN_DROPPED = {
    "connection": "speaks of one connection",
    "keep-alive": "speaks of one connection",
    "proxy-connection": "speaks of one connection",
    "proxy-authorization": "for the proxy (RFC 9110 section 11.7.2)",
    "te": "what the client takes on its own connection",
    "trailer": "trailers are not forwarded",
    "upgrade": "speaks of one connection; a switch of protocols that nobody allowed is not asked for",
    "expect": "100-continue asks the next hop (RFC 9110 section 10.1.1), and the proxy answers it",
    "transfer-encoding": "framing belongs to one hop: a small chunked body is forwarded with its length",
    "x-forwarded-for": "a client could forge it, so only the proxy's own is there",
    "x-forwarded-host": "a client could forge it",
    "x-forwarded-proto": "a client could forge it",
    "x-forwarded-port": "a client could forge it",
    "forwarded": "a client could forge it",
    "x-real-ip": "a client could forge it",
    "x-original-url": "would name another path than the one that counts for the cache",
    "x-http-method-override": "would name another method than the one that counts for the cache",
    "x_under_score": "WSGI cannot tell `X_Under_Score` from `X-Under-Score`, so a name with `_` goes no further",
}

# Methods whose bodies every server reads. Requests of others, where they have a body, tell the app to close: one that left
# such a body unread would take it for the next request on the connection, which is another client's.
SEEN_STAYING = {"POST", "PUT", "PATCH"}

# Requests of these tell the app to close, with a body or without: an answer to one announces a body that it must not have, and
# an app that sends it all the same, a moment later, would have it taken for the next client's answer.
SEEN_LEAVING = {"HEAD"}

# Where what the app calls cacheable is cached, no answer here is a hit, and one thing more differs: fields of the request
# that the app does not see.
SEEN_DROPPED_ON_A_FILL = {
    "if-none-match": "a fill is for all who ask, so it asks for all of it; the client gets its 304 from the proxy",
    "if-modified-since": "a fill asks for all of it",
}
ADDED_WITH_A_CACHE = {b"via": b"1.1 aside", b"cache-status": b"aside; fwd=", b"x-cache": (b"MISS", b"BYPASS")}

# What else is not compared.
ELSE = {
    "case of field names": "names are case-insensitive (RFC 9110 section 5.1); the proxy writes them in lower case, as HTTP/2"
    " does, so that a hit and a miss look alike",
    "order of different fields": "has no meaning (RFC 9110 section 5.3); values under one name keep theirs, and stand together",
    "version in the status line": "each hop speaks its own (RFC 9110 section 2.5)",
    "chunk boundaries": "have no meaning (RFC 9112 section 7.1)",
    "length or chunks of a request": "a chunked body of up to `buffer_body` is read whole, so that a slow client holds no worker"
    " of the app, and goes on with its length",
    "length of a 205": "is said to be 0, which a client need not know by the status (RFC 9110 section 15.3.6)",
    "reason phrase and Last-Modified of a 304, with a cache": "such a 304 may be the proxy's own",
    "trailers": "those of an answer are not forwarded (RFC 9110 section 6.5.1 lets a proxy drop them)",
    "interim answers": "100 says that this hop reads on (RFC 9110 section 10.1.1); 103 is a hint that may be lost",
}
