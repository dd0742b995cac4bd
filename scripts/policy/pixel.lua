--- Where the pixel stands in a tracked message.

local pixel = {}

---@alias pixel_place
---| "after_message"  after the message, before the signature
---| "end"            after everything
---| "top"            before everything
---| "none"           nowhere: the message is not tracked

---@param letter letter
---@return pixel_place
function pixel.place(letter) -- luacheck: no unused args
  return "after_message"
end

--- The pixel itself.
---@param base_url string
---@param id string
---@return string html
function pixel.html(base_url, id)
  return ('<img src="%s/pixel?id=%s" width="1" height="1" alt="" style="display:none;">')
    :format(base_url, id)
end

return pixel
