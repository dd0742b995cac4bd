/*
 * jwt_vectors.h - a set with one key of each kind, "r1" and "e1", and a token that each has signed:
 *   made by node:crypto.
 */
#ifndef JWT_VECTORS_H
#define JWT_VECTORS_H

static const char set_text[] =
    "{\"keys\":[{\"kty\":\"RSA\",\"n\":\"qpqhYIFyCYw7CRznVTcOLXmNyK6QdACiEjEWgxs793Jh9AIjBCT4puERJ"
    "_qZP20ldPiPfwAYM-sK2t_Ivml_O3Y3y8T-hU8SfY47UAJXcJR5hKSFMzFbqdQJnP13iORBZZbTBEpTqhkTg"
    "HdGFlNWWi3SG_B139p9Z07Y3PPf22kXsVRHsENf8zZ84TUI2UXR1krbcytpslsF7uqxecrrryelXuFSVv7Od"
    "-vDJ4dq_nQusBX11CqRX08oxk_JOtQVmMpIsA_pE0auIVt98ua3MYMVl2HFyp6SAw8WPWhOtzO-BOf4GAIIm"
    "4eL4s22Bc7Fjis1dX-Q-VSgrEzTVLQgNQ\",\"e\":\"AQAB\",\"kid\":\"r1\",\"use\":\"sig\",\"alg\":\"RS256\"},"
    "{\"kty\":\"EC\",\"x\":\"fe_lXKNFh2j_Uy4Jq5-HbrrAFxZtFVHIdTlHnBIIJCQ\",\"y\":\"t3Z7XuMGcW1pFRq81"
    "JLrsWpMdcRYUSRRMFw-O1MgqTU\",\"crv\":\"P-256\",\"kid\":\"e1\",\"use\":\"sig\",\"alg\":\"ES256\"}]}";
static const char rs256[] =
    "eyJhbGciOiJSUzI1NiIsImtpZCI6InIxIiwidHlwIjoiSldUIn0.eyJpc3MiOiJodHRwczovL2FjY291bnRz"
    "Lmdvb2dsZS5jb20iLCJhdWQiOiJodHRwczovL3BhcmFwaC5leGFtcGxlLm9yZyIsImVtYWlsIjoiYW5uQGV4"
    "YW1wbGUuY29tIiwiZW1haWxfdmVyaWZpZWQiOnRydWUsImlhdCI6MTc3MjAwMDAwMCwiZXhwIjoxNzcyMDAz"
    "NjAwfQ.cb_PA7JF4frr91H7-1W4-FyQfmPc0NPGDyVmnDd7rbDBdDu4Qo13M27DXY-v7w-6_15gcQrc1ynCj"
    "orJXSfRGwSfDr-Z_dCDp-vbex5CD0BJhMwvcDsET7Ew9MFyqe6JXKe1tijP1oHxyYljaV9RjqqRYuOHufEaQ"
    "qG2xC6xotT4Vv_IovuUcPti7M7j9AYCH_ehr-ZyInsd_wym1KfEktyOLRCifL-oz8LrtjLPpST5CpXgWw8rM"
    "tjESY3BQ9j63IDqZSNuHdGrYDpQXOUxdrJI9qMiG6XgYH4nMWEqjhtKx97N-MY69TtdKXaJE37Q9CNId4-x_"
    "N5H9mA_zdPYBA";
static const char es256[] =
    "eyJhbGciOiJFUzI1NiIsImtpZCI6ImUxIiwidHlwIjoiSldUIn0.eyJpc3MiOiJodHRwczovL2Nsb3VkLmdv"
    "b2dsZS5jb20vaWFwIiwiYXVkIjoiL3Byb2plY3RzLzEiLCJlbWFpbCI6ImFubkBleGFtcGxlLmNvbSIsImVt"
    "YWlsX3ZlcmlmaWVkIjp0cnVlLCJpYXQiOjE3NzIwMDAwMDAsImV4cCI6MTc3MjAwMzYwMH0.L8wBdbIEdc9W"
    "Ux7-13A0_C_jFmGP-_i_n-7LLaj9hNe40yHBXtpbEiDwOHce4T-V_1vU9KVq6Xujy0W9LvGXGw";

#endif
