#include "auth_adc.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "crypto.h"
#include "env.h"
#include "google_exchange.h"
#include "json_text.h"

#define FILE_MAX    (64 * KIB)
#define DEPTH_MAX   16
#define ACCOUNT_MAX 254
#define WHERE       "application default credentials"

void auth_adc_free(struct auth_adc *adc) {
    free(adc->path);
    free(adc->client_id);
    crypto_wipe(adc->client_secret);
    crypto_wipe(adc->refresh_token);
    free(adc->account);
    free(adc->delegates);
    free(adc->quota_project);
    *adc = (struct auth_adc){0};
}

bool auth_adc_is_account(const char *s) {
    static const char chars[] = "@.-_0123456789"
                                "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    size_t n = strlen(s);

    return n > 0 && n <= ACCOUNT_MAX && strspn(s, chars) == n && strspn(s, ".") < n;
}

/* --- the file's members ---------------------------------------------------------------------- */

static const char *text_of(const json_t *object, const char *name) {
    const char *text = json_string_value(json_object_get(object, name));

    return text != NULL ? text : "";
}

static int copy_text(char **to, const json_t *object, const char *name, struct err *e) {
    const char *text = text_of(object, name);

    if (*text == '\0')
        return err_set(e, ERR_AUTH_ERROR,
                       WHERE ": the file has no %s: run `gcloud auth application-default login` "
                             "again",
                       name);
    if ((*to = strdup(text)) == NULL)
        return err_set(e, ERR_INTERNAL_ERROR, WHERE ": out of memory");
    return 0;
}

static int read_user(struct auth_adc *out, const json_t *file, struct err *e) {
    return copy_text(&out->client_id, file, "client_id", e) != 0 ||
                   copy_text(&out->client_secret, file, "client_secret", e) != 0 ||
                   copy_text(&out->refresh_token, file, "refresh_token", e) != 0
               ? -1
               : 0;
}

static int refuse_key(const json_t *file, struct err *e) {
    const char *account = text_of(file, "client_email");

    return err_set(e, ERR_AUTH_ERROR,
                   WHERE
                   ": this is the key file of a service account. A key works for whoever gets "
                   "a copy, until somebody notices, so none is used here: on Google Cloud "
                   "attach the service account; on a laptop run `gcloud auth "
                   "application-default login --impersonate-service-account=%.100s`; and "
                   "delete the key",
                   auth_adc_is_account(account) ? account : "ADDRESS");
}

/* ".../serviceAccounts/ADDRESS:generateAccessToken": the address is all that is taken from it. */
static int read_impersonation(struct auth_adc *out, const json_t *file, struct err *e) {
    static const char head[] =
        "https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/";
    static const char tail[] = ":generateAccessToken";
    const char *url = text_of(file, "service_account_impersonation_url");
    const json_t *delegates = json_object_get(file, "delegates");
    const json_t *source = json_object_get(file, "source_credentials");
    size_t n = strlen(url), fixed = strlen(head) + strlen(tail);

    if (n > fixed && n < fixed + ACCOUNT_MAX && strncmp(url, head, strlen(head)) == 0 &&
        strcmp(url + n - strlen(tail), tail) == 0)
        out->account = strndup(url + strlen(head), n - fixed);
    if (out->account == NULL || !auth_adc_is_account(out->account))
        return err_set(e, ERR_AUTH_ERROR,
                       WHERE
                       ": service_account_impersonation_url does not have the form %sADDRESS%s",
                       head, tail);
    if (strcmp(text_of(source, "type"), "service_account") == 0)
        return refuse_key(source, e);
    if (strcmp(text_of(source, "type"), "authorized_user") != 0)
        return err_set(e, ERR_AUTH_ERROR,
                       WHERE ": source_credentials are not of the type authorized_user, the only "
                             "one that can be used");
    out->delegates = json_is_array(delegates) ? json_dumps(delegates, JSON_COMPACT) : strdup("[]");
    if (out->delegates == NULL)
        return err_set(e, ERR_INTERNAL_ERROR, WHERE ": out of memory");
    return read_user(out, source, e);
}

static int read_quota_project(struct auth_adc *out, const json_t *file, struct err *e) {
    const char *project = getenv("GOOGLE_CLOUD_QUOTA_PROJECT");

    if (project == NULL || *project == '\0')
        project = text_of(file, "quota_project_id");
    if (*project == '\0')
        return 0;
    if (strlen(project) > ACCOUNT_MAX || strpbrk(project, " \t\r\n\"/") != NULL)
        return err_set(e, ERR_AUTH_ERROR, WHERE ": the quota project is not a project's id");
    out->quota_project = strdup(project);
    return out->quota_project != NULL ? 0 : err_set(e, ERR_INTERNAL_ERROR, WHERE ": out of memory");
}

static int read_tree(struct auth_adc *out, const json_t *file, struct err *e) {
    const char *type = text_of(file, "type"), *universe = text_of(file, "universe_domain");

    if (*universe != '\0' && strcmp(universe, "googleapis.com") != 0)
        return err_set(e, ERR_AUTH_ERROR,
                       WHERE ": they are not for googleapis.com, the only universe with "
                             "Workspace's delegation");
    if (strcmp(type, "service_account") == 0)
        return refuse_key(file, e);
    if (read_quota_project(out, file, e) != 0)
        return -1;
    if (strcmp(type, "authorized_user") == 0) {
        out->kind = AUTH_ADC_USER;
        return read_user(out, file, e);
    }
    if (strcmp(type, "impersonated_service_account") == 0) {
        out->kind = AUTH_ADC_IMPERSONATED;
        return read_impersonation(out, file, e);
    }
    return err_set(e, ERR_AUTH_ERROR,
                   WHERE
                   ": the file's type is neither authorized_user nor "
                   "impersonated_service_account: run `gcloud auth application-default login`");
}

/* --- the file -------------------------------------------------------------------------------- */

static int parse(struct auth_adc *out, const char *text, size_t n, struct err *e) {
    struct err why;
    json_t *tree = json_text_parse(text, n, DEPTH_MAX, &why);
    int rc;

    if (tree == NULL)
        return err_set(e, ERR_AUTH_ERROR, WHERE ": the file is not JSON: %.200s", why.message);
    rc = read_tree(out, tree, e);
    google_exchange_wipe(tree);
    return rc;
}

/* 1: there is no such file, and it need not be there. */
static int read_file(struct auth_adc *out, const char *path, bool needed, struct err *e) {
    FILE *f = fopen(path, "re");
    char *text;
    size_t n;
    int rc;

    if (f == NULL && !needed && (errno == ENOENT || errno == ENOTDIR))
        return 1;
    if (f == NULL)
        return err_set(e, ERR_AUTH_ERROR, WHERE ": %s%.200s cannot be read: %s",
                       needed ? "GOOGLE_APPLICATION_CREDENTIALS names a file, but " : "", path,
                       strerror(errno));
    if ((text = malloc(FILE_MAX + 1)) == NULL) {
        fclose(f);
        return err_set(e, ERR_INTERNAL_ERROR, WHERE ": out of memory");
    }
    setvbuf(f, NULL, _IONBF, 0); /* no copy of a secret in a buffer of stdio's */
    n = fread(text, 1, FILE_MAX + 1, f);
    if (ferror(f) || n > FILE_MAX)
        rc = err_set(e, ERR_AUTH_ERROR, WHERE ": %.200s cannot be read: %s", path,
                     n > FILE_MAX ? "it is too large" : strerror(errno));
    else
        rc = parse(out, text, n, e);
    if (rc == 0 && (out->path = strdup(path)) == NULL)
        rc = err_set(e, ERR_INTERNAL_ERROR, WHERE ": out of memory");
    fclose(f);
    explicit_bzero(text, n);
    free(text);
    return rc;
}

/* Where gcloud keeps them; "" where nothing says so. */
static void find_well_known(char path[PATH_MAX]) {
    const char *config = getenv("CLOUDSDK_CONFIG"), *home = getenv("HOME");
    static const char name[] = "application_default_credentials.json";
    int n = 0;

    path[0] = '\0';
    if (config != NULL && *config != '\0')
        n = snprintf(path, PATH_MAX, "%s/%s", config, name);
    else if (home != NULL && *home != '\0')
        n = snprintf(path, PATH_MAX, "%s/.config/gcloud/%s", home, name);
    if (n >= PATH_MAX)
        path[0] = '\0';
}

/* True: it is a setting that names it, and it must be there. */
static bool find(char path[PATH_MAX]) {
    const char *named = getenv("GOOGLE_APPLICATION_CREDENTIALS");

    path[0] = '\0';
    if (named != NULL && *named != '\0')
        return snprintf(path, PATH_MAX, "%s", named) > 0;
    if (!env.cloud_run && env.gce_metadata_host == NULL)
        find_well_known(path);
    return false;
}

void auth_adc_path(char path[PATH_MAX]) {
    (void)find(path);
}

int auth_adc_load(struct auth_adc *out, struct err *e) {
    char path[PATH_MAX];
    bool needed = find(path);
    int rc = 1;

    *out = (struct auth_adc){.kind = AUTH_ADC_METADATA};
    if (path[0] != '\0')
        rc = read_file(out, path, needed, e);
    if (rc < 0)
        auth_adc_free(out);
    return rc < 0 ? -1 : 0;
}
