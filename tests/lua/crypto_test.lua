local crypto = require "paraph.crypto"

local DNS = "6ba7b810-9dad-11d1-80b4-00c04fd430c8"

local function raises(pattern, f, ...)
  local ok, message = pcall(f, ...)
  assert(not ok, "did not raise")
  assert(tostring(message):find(pattern, 1, true), tostring(message))
end

return {
  ["uuid4 is random, version 4, lower case"] = function()
    local id = crypto.uuid4()
    assert(id:find("^%x+%-%x+%-4%x+%-[89ab]%x+%-%x+$"), id)
    assert(#id == 36 and id == id:lower())
    assert(id ~= crypto.uuid4())
  end,

  ["uuid5 of RFC 9562, appendix A.4"] = function()
    assert(crypto.uuid5(DNS, "www.example.com") == "2ed6657d-e927-568b-95e1-2665a8aea6a2")
    assert(crypto.uuid5(DNS:upper(), "www.example.com") == crypto.uuid5(DNS, "www.example.com"))
    assert(crypto.uuid5(DNS, "a\0b") ~= crypto.uuid5(DNS, "a"))
    raises("not a UUID", crypto.uuid5, "dns", "www.example.com")
    raises("not a UUID", crypto.uuid5, DNS .. "\0", "www.example.com")
    raises("bad argument", crypto.uuid5, DNS)
  end,

  ["is_uuid takes anything"] = function()
    assert(crypto.is_uuid(DNS) == true)
    assert(crypto.is_uuid(DNS:upper()) == true)
    for _, other in ipairs { "", DNS .. "0", DNS:sub(2), DNS:gsub("-", ""), 42, {}, true, print } do
      assert(crypto.is_uuid(other) == false, tostring(other))
    end
    assert(crypto.is_uuid(nil) == false)
    assert(crypto.is_uuid(DNS .. "\0") == false)
  end,

  ["sha256 of FIPS 180-4"] = function()
    assert(crypto.sha256("abc")
      == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
    assert(crypto.sha256("")
      == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
    raises("bad argument", crypto.sha256, nil)
    raises("bad argument", crypto.sha256, {})
  end,

  ["hmac_sha256 of RFC 4231, test cases 1 and 2"] = function()
    assert(crypto.hmac_sha256(("\x0b"):rep(20), "Hi There")
      == "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7")
    assert(crypto.hmac_sha256("Jefe", "what do ya want for nothing?")
      == "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843")
    assert(crypto.hmac_sha256("a\0b", "x") ~= crypto.hmac_sha256("a", "x"))
    raises("bad argument", crypto.hmac_sha256, "key")
    raises("bad argument", crypto.hmac_sha256, nil, "x")
  end,

  ["equal compares all of both"] = function()
    assert(crypto.equal("secret", "secret") == true)
    assert(crypto.equal("secret", "secreT") == false)
    assert(crypto.equal("secret", "secret2") == false)
    assert(crypto.equal("a\0b", "a\0c") == false)
    assert(crypto.equal("", "") == true)
    raises("bad argument", crypto.equal, "a")
  end,
}
