local batches = require "lib.batches"
local expect = require "lib.expect"
local task = require "paraph.task"

return {
  ["each item once, so many at the same time"] = function()
    local items, done, under_way, peak = {}, {}, 0, 0
    for i = 1, 11 do items[i] = i * 10 end
    expect.equal(batches(items, 4, function(item, i)
      under_way = under_way + 1
      peak = math.max(peak, under_way)
      task.sleep(1)
      under_way = under_way - 1
      done[i] = item
    end), true)
    expect.equal({ done, peak }, { items, 4 })
  end,

  ["nothing to do is done"] = function()
    expect.equal(batches({}, 4, function() error("this must not be called") end), true)
  end,
}
