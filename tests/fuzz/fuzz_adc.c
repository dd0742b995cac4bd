/*
 * fuzz_adc.c - files of Application Default Credentials: what is taken from one can stand in a
 * header, a form and a URL; and what refuses one says so in a sentence, without its secrets.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "auth_adc.h"
#include "encode.h"
#include "json_text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void demand(bool ok) {
    if (!ok)
        abort();
}

static void check_adc(const struct auth_adc *adc) {
    const char *project = adc->quota_project;

    demand(adc->kind != AUTH_ADC_METADATA && adc->path != NULL);
    demand(adc->client_id[0] != '\0' && adc->client_secret[0] != '\0');
    demand(adc->refresh_token[0] != '\0');
    demand(project == NULL || (project[0] != '\0' && strpbrk(project, " \t\r\n\"/") == NULL));
    if (adc->kind == AUTH_ADC_IMPERSONATED)
        demand(auth_adc_is_account(adc->account) && adc->delegates[0] == '[');
}

/* A file that lies in memory, and the variable that names it. */
static void put_file(const uint8_t *data, size_t size) {
    static int fd = -1;
    char path[64];

    if (fd < 0) {
        demand((fd = memfd_create("adc", 0)) >= 0);
        snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
        setenv("GOOGLE_APPLICATION_CREDENTIALS", path, 1);
    }
    demand(ftruncate(fd, 0) == 0 && pwrite(fd, data, size, 0) == (ssize_t)size);
}

/* The secrets of a file are not told, unless its address says the same. */
static void check_untold(const char *text, size_t n, const char *message) {
    static const char *const names[] = {"client_secret", "refresh_token", "private_key"};
    json_t *file = json_text_parse(text, n, JSON_TEXT_DEPTH_MAX, NULL);
    const char *address = json_string_value(json_object_get(file, "client_email"));

    for (size_t i = 0; i < COUNT_OF(names); i++) {
        const char *secret = json_string_value(json_object_get(file, names[i]));

        if (secret != NULL && strstr(secret, "SECRET") != NULL &&
            (address == NULL || strstr(address, secret) == NULL))
            demand(strstr(message, secret) == NULL);
    }
    json_decref(file);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct auth_adc adc;
    struct err e = {.code = ERR_NONE};

    put_file(data, size);
    if (auth_adc_load(&adc, &e) == 0) {
        check_adc(&adc);
        auth_adc_free(&adc);
    } else {
        demand(e.code == ERR_AUTH_ERROR && e.message[0] != '\0');
        demand(encode_utf8_error(e.message, strlen(e.message)) == strlen(e.message));
        check_untold((const char *)data, size, e.message);
    }
    return 0;
}
