/*
 * auth_adc.h - Application Default Credentials: whose credentials this process has.
 *
 * In this order: the file that GOOGLE_APPLICATION_CREDENTIALS names; the metadata server, on Cloud
 * Run or where GCE_METADATA_HOST names one; the file that `gcloud auth application-default login`
 * writes; the metadata server.  Files are read anew for each token, so that a new sign-in needs no
 * restart.  No address in them is ever called.
 */
#ifndef AUTH_ADC_H
#define AUTH_ADC_H

#include <limits.h>

#include "base.h"
#include "err.h"

enum auth_adc_kind {
    AUTH_ADC_METADATA,    /* ask the metadata server; nothing below is set */
    AUTH_ADC_USER,        /* a person's refresh token */
    AUTH_ADC_IMPERSONATED /* the same, then a token of `account` */
};

struct auth_adc {
    enum auth_adc_kind kind;
    char *path; /* of the file */
    char *client_id, *client_secret, *refresh_token;
    char *account;       /* the service account's address */
    char *delegates;     /* a JSON array */
    char *quota_project; /* or NULL */
};

/* On failure -1, and nothing to free. */
int auth_adc_load(struct auth_adc *out, struct err *e);
void auth_adc_free(struct auth_adc *adc);

/* The file that is read, if it is there; "": none. */
void auth_adc_path(char path[PATH_MAX]);

/* Is this a service account's address or unique id, and nothing that would change a URL? */
bool auth_adc_is_account(const char *s);

#endif
