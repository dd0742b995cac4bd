/*
 * encode.h - bytes as mail and the web spell them: UTF-8, hex, base64, quoted-printable,
 * RFC 2047 encoded words, RFC 2231 parameters, folded header lines.
 *
 * Pure functions: bytes in, bytes appended to a buf.  Encoders of text expect valid UTF-8 without
 * control characters where a header is meant; ask encode_utf8_error() and encode_control_at()
 * first.  Every function that folds ends its lines with CRLF and keeps them within 78 characters
 * where the material allows, and within 998 always (RFC 5322 §2.1.1).
 */
#ifndef ENCODE_H
#define ENCODE_H

#include "base.h"
#include "buf.h"
#include "err.h"

/* Bytes of the well-formed character that s begins with (RFC 3629: no surrogates, no overlong
 * forms), and its code point; 0 if there is none. */
size_t encode_utf8_char(const char *s, size_t n, uint32_t *cp);

/* Offset of the first byte that is not well-formed UTF-8; n if all is well. */
size_t encode_utf8_error(const char *s, size_t n);

/* Offset of the first control character (C0 incl. CR, LF, NUL and TAB, DEL, C1, and the line and
 * paragraph separators U+2028, U+2029); n if there is none. */
size_t encode_control_at(const char *s, size_t n);

/* Is it a token, as methods and the names of headers are (RFC 9110 §5.6.2)? */
bool encode_is_token(const char *s, size_t n);

/* For people's eyes, whoever wrote it: what is not UTF-8, what a terminal would obey, and what
 * turns the direction of the text around (U+202A-U+202E, U+2066-U+2069) becomes U+FFFD; tabs and
 * newlines stay. */
void encode_printable(struct buf *out, const char *s, size_t n);

void encode_hex(struct buf *out, const void *p, size_t n); /* lower case */

void encode_base64(struct buf *out, const void *p, size_t n);       /* one line, padded */
void encode_base64url(struct buf *out, const void *p, size_t n);    /* RFC 4648 §5, no padding */
void encode_base64_lines(struct buf *out, const void *p, size_t n); /* 76 columns, CRLF each */

/* Standard or URL alphabet (not both), padding optional, white space ignored; anything else, or
 * stray bits at the end, is ERR_INVALID_FIELD with the offset in the sentence. */
int encode_base64_decode(struct buf *out, const char *s, size_t n, struct err *e);

/* RFC 2045 §6.7 for text: line ends LF or CRLF become CRLF; lines of at most 76.  `size` is what
 * encode_quoted_printable_size() says of it, which looks at every byte: nobody does so twice. */
void encode_quoted_printable(struct buf *out, const char *s, size_t n, size_t size);

/* How many bytes they would write. */
size_t encode_quoted_printable_size(const char *s, size_t n);
size_t encode_base64_lines_size(size_t n);

/* "Name: value\r\n", folded; what is not printable ASCII becomes RFC 2047 encoded words (B or Q,
 * whichever is shorter) that never split a character, nor an emoji sequence (ZWJ, variation
 * selector, skin tone, combining mark, regional-indicator pair) where it fits in one word. Encoded
 * too, so that it is read back literally: what looks like an encoded word ("=?"), and spaces that
 * a reader might trim or collapse. */
void encode_header(struct buf *out, const char *name, const char *value);

/*
 * The pieces of a structured header.  Each begins with the white space that sets it apart, which
 * is a fold where the line is full, and leaves *col at the column after it.  A line has room for
 * a comma or semicolon behind any of them.
 */

/* What cannot be folded, an address or a message id, with what is put around it. */
void encode_token(struct buf *out, size_t *col, const char *before, const char *s,
                  const char *after);

/* A display name as an RFC 5322 phrase: atoms, a quoted string or encoded words. */
void encode_phrase(struct buf *out, size_t *col, const char *text);

/* May the character stand in an atom (RFC 5322 §3.2.3)? */
bool encode_is_atext(char c);

/* A quoted string (RFC 5322 §3.2.4), not folded. */
void encode_quoted(struct buf *out, const char *s);

/* "; name=value" of a header such as Content-Type: a token or quoted string when ASCII and short,
 * else RFC 2231 (name*=UTF-8''..., continued as name*0*= where long). */
void encode_parameter(struct buf *out, size_t *col, const char *name, const char *value);

/* Percent-encoding of everything but RFC 3986 unreserved characters. */
void encode_percent(struct buf *out, const char *s, size_t n);

/* The opposite, as in a query string: "+" is a space.  -1 on a bad escape. */
int encode_percent_decode(struct buf *out, const char *s, size_t n);

#endif
