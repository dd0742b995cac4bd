#include "fetch_easy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "fetch_late.h"

#define ENOUGH             32 /* for a dozen URLs or calls at once; each has about 8 KiB */
#define URL_KEPT_MAX       (8 * KIB)
#define HOST_MAX           255
#define RECEIVE_BYTES      1024L /* of each transfer's buffer: most answers fit in */
#define CONNECT_TIMEOUT_MS 10000L

static struct fetch_easy *idle[ENOUGH]; /* the one that was used last is the last */
static size_t nidle;
static size_t nall; /* with those in use */

static void destroy(struct fetch_easy *easy) {
    curl_easy_cleanup(easy->curl);
    curl_url_cleanup(easy->parts);
    free(easy->url);
    free(easy);
    nall--;
}

/* --- setting up ------------------------------------------------------------------------------ */

/* What is the same for all.  Left as curl has it: no redirects, no decompression, no cookies. */
static bool set_options(struct fetch_easy *easy) {
    CURL *curl = easy->curl;
    unsigned bad = 0;

    bad |= curl_easy_setopt(curl, CURLOPT_PRIVATE, easy);
    bad |= curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, easy->fault);
    bad |= curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    /* What is not a documented setting has no effect, and a metadata server, an emulator or a
     * private endpoint is never behind a proxy: http_proxy and its like are not looked at. */
    bad |= curl_easy_setopt(curl, CURLOPT_PROXY, "");
    bad |= curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    bad |= curl_easy_setopt(curl, CURLOPT_BUFFERSIZE, RECEIVE_BYTES);
    bad |= curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_TIMEOUT_MS);
    /* Cancelling must not wait for the resolver's thread. */
    bad |= curl_easy_setopt(curl, CURLOPT_QUICK_EXIT, 1L);
    bad |= curl_easy_setopt(curl, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    /* A directory of authorities keeps curl from caching those in the file: 20 ms a connection. */
    bad |= curl_easy_setopt(curl, CURLOPT_CAPATH, NULL);
    return bad == 0;
}

static struct fetch_easy *make(fetch_easy_prepare_fn *prepare, struct err *e) {
    struct fetch_easy *easy = calloc(1, sizeof(*easy));

    if (easy == NULL || (easy->curl = curl_easy_init()) == NULL) {
        free(easy);
        err_set(e, ERR_INTERNAL_ERROR, "out of memory");
        return NULL;
    }
    nall++;
    if (set_options(easy) && prepare(easy))
        return easy;
    destroy(easy);
    err_set(e, ERR_INTERNAL_ERROR, "libcurl lacks an option it should have");
    return NULL;
}

static bool read_parts(struct fetch_easy *easy) {
    char *scheme = NULL, *host = NULL;
    bool good = curl_url_set(easy->parts, CURLUPART_URL, easy->url, 0) == CURLUE_OK &&
                curl_url_get(easy->parts, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
                curl_url_get(easy->parts, CURLUPART_HOST, &host, 0) == CURLUE_OK &&
                strlen(host) <= HOST_MAX &&
                (strcasecmp(scheme, "http") == 0 || strcasecmp(scheme, "https") == 0);

    easy->tls = good && strcasecmp(scheme, "https") == 0;
    curl_free(scheme);
    curl_free(host);
    return good;
}

void fetch_easy_origin(const struct fetch_easy *easy, char origin[FETCH_ORIGIN_SIZE]) {
    char *scheme = NULL, *host = NULL, *port = NULL;

    (void)curl_url_get(easy->parts, CURLUPART_SCHEME, &scheme, 0);
    (void)curl_url_get(easy->parts, CURLUPART_HOST, &host, 0);
    (void)curl_url_get(easy->parts, CURLUPART_PORT, &port, 0);
    snprintf(origin, FETCH_ORIGIN_SIZE, "%s://%s%s%s", scheme != NULL ? scheme : "",
             host != NULL ? host : "", port != NULL ? ":" : "", port != NULL ? port : "");
    curl_free(scheme);
    curl_free(host);
    curl_free(port);
}

/* curl takes the parts; with the text, too, it does not put that together from them. */
static int set_url(struct fetch_easy *easy, const char *url, struct err *e) {
    curl_url_cleanup(easy->parts);
    free(easy->url);
    easy->url = strdup(url);
    easy->parts = curl_url();
    if (easy->url == NULL || easy->parts == NULL ||
        curl_easy_setopt(easy->curl, CURLOPT_URL, url) != CURLE_OK ||
        curl_easy_setopt(easy->curl, CURLOPT_CURLU, easy->parts) != CURLE_OK)
        return err_set(e, ERR_INTERNAL_ERROR, "out of memory");
    if (!read_parts(easy))
        return err_set(e, ERR_INTERNAL_ERROR, "the URL is not an absolute http or https address");
    return 0;
}

/* --- keeping --------------------------------------------------------------------------------- */

static struct fetch_easy *remove_idle(size_t i) {
    struct fetch_easy *easy = idle[i];

    for (nidle--; i < nidle; i++)
        idle[i] = idle[i + 1];
    return easy;
}

static struct fetch_easy *find_idle(const char *url) {
    for (size_t i = nidle; i-- > 0;)
        if (strcmp(idle[i]->url, url) == 0)
            return remove_idle(i);
    return NULL;
}

/* A new one; where there are enough, the one that has been idle for longest. */
static struct fetch_easy *any(fetch_easy_prepare_fn *prepare, struct err *e) {
    return nidle > 0 && nall >= ENOUGH ? remove_idle(0) : make(prepare, e);
}

struct fetch_easy *fetch_easy_take(const char *url, fetch_easy_prepare_fn *prepare, struct err *e) {
    struct fetch_easy *easy;

    if (fetch_late_open(e) != 0)
        return NULL;
    if ((easy = find_idle(url)) == NULL) {
        if ((easy = any(prepare, e)) == NULL)
            return NULL;
        if (set_url(easy, url, e) != 0) {
            destroy(easy);
            return NULL;
        }
    }
    easy->fault[0] = '\0';
    return easy;
}

void fetch_easy_give(struct fetch_easy *easy, bool worn) {
    if (easy == NULL)
        return;
    if (worn || strlen(easy->url) > URL_KEPT_MAX) {
        destroy(easy);
        return;
    }
    if (nidle == ENOUGH)
        destroy(remove_idle(0));
    idle[nidle++] = easy;
}

void fetch_easy_close(void) {
    while (nidle > 0)
        destroy(idle[--nidle]);
}
