--- Many steps that wait, some at a time: they do not wait for each other, and do not get in the way
--- of everybody else.

local task = require "paraph.task"

--- Act on each item, `most` of them at the same time.
---@async
---@generic item
---@param items item[]
---@param most integer          up to 64
---@param act fun(item: item, i: integer)
---@return true? ok
---@return paraph.err? err      the task is to end; the items behind were not begun
return function(items, most, act)
  for first = 1, #items, most do
    local steps = {}
    for i = first, math.min(first + most - 1, #items) do
      steps[#steps + 1] = function() act(items[i], i) end
    end
    local ok, err = task.all(steps)
    if not ok then return nil, err end
  end
  return true
end
