#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "crypto.h"

/* FIPS 180-4, the examples that NIST publishes for SHA-256. */
static void test_sha256(void **state) {
    static const struct {
        const char *text, *hex;
    } cases[] = {
        {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
        {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
        {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
         "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
        {"abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmn"
         "hijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu",
         "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1"},
    };
    char hex[CRYPTO_SHA256_HEX];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        crypto_sha256_hex(hex, cases[i].text, strlen(cases[i].text));
        assert_string_equal(hex, cases[i].hex);
    }
}

static void test_sha256_of_a_million(void **state) {
    static const unsigned char want[CRYPTO_SHA256_LEN] = {
        0xcd, 0xc7, 0x6e, 0x5c, 0x99, 0x14, 0xfb, 0x92, 0x81, 0xa1, 0xc7,
        0xe2, 0x84, 0xd7, 0x3e, 0x67, 0xf1, 0x80, 0x9a, 0x48, 0xa4, 0x97,
        0x20, 0x0e, 0x04, 0x6d, 0x39, 0xcc, 0xc7, 0x11, 0x2c, 0xd0,
    };
    unsigned char got[CRYPTO_SHA256_LEN];
    char *million = malloc(1000000);

    (void)state;
    assert_non_null(million);
    memset(million, 'a', 1000000);
    crypto_sha256(got, million, 1000000);
    assert_memory_equal(got, want, sizeof(want));
    free(million);
}

static void test_sha256_of_nothing(void **state) {
    char hex[CRYPTO_SHA256_HEX];

    (void)state;
    crypto_sha256_hex(hex, NULL, 0);
    assert_string_equal(hex, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

/* RFC 4231, the cases whose result is not cut short. */
static void test_hmac(void **state) {
    static const struct {
        const char *key;
        size_t nkey, times; /* how often the key's text is there */
        const char *text, *hex;
    } cases[] = {
        {"\x0b", 1, 20, "Hi There",
         "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"},
        {"Jefe", 4, 1, "what do ya want for nothing?",
         "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
        {"\xaa", 1, 20,
         "\xdd\xdd\xdd\xdd\xdd\xdd\xdd\xdd\xdd\xdd\xdd\xdd\xdd\xdd\xdd\xdd\xdd\xdd\xdd\xdd\xdd\xdd\xdd"
         "\xdd\xdd\xdd\xdd\xdd\xdd\xdd\xdd\xdd\xdd\xdd\xdd\xdd\xdd\xdd\xdd\xdd\xdd\xdd\xdd\xdd\xdd\xdd"
         "\xdd\xdd\xdd\xdd",
         "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"},
        {"\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\x10\x11\x12\x13\x14\x15\x16\x17"
         "\x18\x19",
         25, 1,
         "\xcd\xcd\xcd\xcd\xcd\xcd\xcd\xcd\xcd\xcd\xcd\xcd\xcd\xcd\xcd\xcd\xcd\xcd\xcd\xcd\xcd\xcd\xcd"
         "\xcd\xcd\xcd\xcd\xcd\xcd\xcd\xcd\xcd\xcd\xcd\xcd\xcd\xcd\xcd\xcd\xcd\xcd\xcd\xcd\xcd\xcd\xcd"
         "\xcd\xcd\xcd\xcd",
         "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b"},
        {"\xaa", 1, 131, "Test Using Larger Than Block-Size Key - Hash Key First",
         "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"},
        {"\xaa", 1, 131,
         "This is a test using a larger than block-size key and a larger than block-size data. The "
         "key needs to be hashed before being used by the HMAC algorithm.",
         "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2"},
    };
    char key[131], hex[CRYPTO_SHA256_HEX];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        for (size_t n = 0; n < cases[i].times; n++)
            memcpy(key + n * cases[i].nkey, cases[i].key, cases[i].nkey);
        crypto_hmac_sha256_hex(hex, key, cases[i].nkey * cases[i].times, cases[i].text,
                               strlen(cases[i].text));
        assert_string_equal(hex, cases[i].hex);
    }
    crypto_hmac_sha256_hex(hex, "", 0, "", 0);
    assert_string_equal(hex, "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
}

static void test_uuid5(void **state) {
    static const struct {
        const char *ns, *name, *uuid;
    } cases[] = {
        /* RFC 9562, appendix A.4 */
        {"6ba7b810-9dad-11d1-80b4-00c04fd430c8", "www.example.com",
         "2ed6657d-e927-568b-95e1-2665a8aea6a2"},
        /* the examples in the documentation of Python's uuid module */
        {"6ba7b810-9dad-11d1-80b4-00c04fd430c8", "python.org",
         "886313e1-3b8a-5372-9b90-0c9aee199e5d"},
        {"6BA7B811-9DAD-11D1-80B4-00C04FD430C8", "http://python.org/",
         "4c565f0d-3f5a-5890-b41b-20cf47701c5e"},
    };
    char out[CRYPTO_UUID_SIZE];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        assert_int_equal(crypto_uuid5(out, cases[i].ns, cases[i].name, strlen(cases[i].name)), 0);
        assert_string_equal(out, cases[i].uuid);
    }
}

/* The whole name counts, a NUL in it too. */
static void test_uuid5_takes_bytes(void **state) {
    const char *ns = "6ba7b810-9dad-11d1-80b4-00c04fd430c8";
    char a[CRYPTO_UUID_SIZE], b[CRYPTO_UUID_SIZE], c[CRYPTO_UUID_SIZE];

    (void)state;
    assert_int_equal(crypto_uuid5(a, ns, "a\0b", 3), 0);
    assert_int_equal(crypto_uuid5(b, ns, "a\0c", 3), 0);
    assert_int_equal(crypto_uuid5(c, ns, "a", 1), 0);
    assert_string_not_equal(a, b);
    assert_string_not_equal(a, c);
    assert_int_equal(crypto_uuid5(a, ns, NULL, 0), 0);
    assert_true(crypto_is_uuid(a, strlen(a)));
}

static void test_is_uuid(void **state) {
    static const struct {
        const char *text;
        bool is;
    } cases[] = {
        {"6ba7b810-9dad-11d1-80b4-00c04fd430c8", true},
        {"6BA7B810-9DAD-11D1-80B4-00C04FD430C8", true},
        {"00000000-0000-0000-0000-000000000000", true},
        {"", false},
        {"6ba7b810-9dad-11d1-80b4-00c04fd430c", false},
        {"6ba7b810-9dad-11d1-80b4-00c04fd430c80", false},
        {"6ba7b8109dad-11d1-80b4-00c04fd430c8-", false},
        {"6ba7b810-9dad-11d1-80b4_00c04fd430c8", false},
        {"6ba7b810-9dad-11d1-80b4-00c04fd430cg", false},
        {"6ba7b810-9dad-11d1-80b4-00c04fd430c\x01", false},
        {"6ba7b810-9dad-11d1-80b4-00c04fd430c\xc3", false},
        {"6ba7b810--dad-11d1-80b4-00c04fd430c8", false},
        {"{6ba7b810-9dad-11d1-80b4-00c04fd430}", false},
        {"6ba7b810-9dad-11d1-80b4-00c04fd430c\n", false},
        {"@ba7b810-9dad-11d1-80b4-00c04fd430c8", false},
        {"`ba7b810-9dad-11d1-80b4-00c04fd430c8", false},
    };
    char out[CRYPTO_UUID_SIZE];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        assert_int_equal(crypto_is_uuid(cases[i].text, strlen(cases[i].text)), cases[i].is);
        assert_int_equal(crypto_uuid5(out, cases[i].text, "x", 1), cases[i].is ? 0 : -1);
    }
    assert_false(crypto_is_uuid("6ba7b810-9dad-11d1-80b4-00c04fd430c8", 35));
}

static void test_uuid4(void **state) {
    char a[CRYPTO_UUID_SIZE], b[CRYPTO_UUID_SIZE];

    (void)state;
    for (int i = 0; i < 100; i++) {
        crypto_uuid4(a);
        crypto_uuid4(b);
        assert_true(crypto_is_uuid(a, strlen(a)));
        assert_int_equal(a[14], '4');
        assert_non_null(strchr("89ab", a[19]));
        assert_null(strpbrk(a, "ABCDEF"));
        assert_string_not_equal(a, b);
    }
}

static void test_random(void **state) {
    unsigned char a[32] = {0}, b[32] = {0}, edge[3] = {7, 7, 7};

    (void)state;
    crypto_random(a, sizeof(a));
    crypto_random(b, sizeof(b));
    assert_memory_not_equal(a, b, sizeof(a));
    crypto_random(edge + 1, 0);
    assert_int_equal(edge[1], 7);
}

static void test_equal(void **state) {
    (void)state;
    assert_true(crypto_equal("secret", "secret", 6));
    assert_false(crypto_equal("secret", "secreT", 6));
    assert_false(crypto_equal("Secret", "secret", 6));
    assert_true(crypto_equal("secret", "secreT", 5));
    assert_false(crypto_equal("a\0b", "a\0c", 3));
    assert_true(crypto_equal("a", "b", 0));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sha256),
        cmocka_unit_test(test_sha256_of_a_million),
        cmocka_unit_test(test_sha256_of_nothing),
        cmocka_unit_test(test_hmac),
        cmocka_unit_test(test_uuid5),
        cmocka_unit_test(test_uuid5_takes_bytes),
        cmocka_unit_test(test_is_uuid),
        cmocka_unit_test(test_uuid4),
        cmocka_unit_test(test_random),
        cmocka_unit_test(test_equal),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
