--- Charts as numbers: series become bars, ticks and a legend, which a template writes down as SVG.

local chart = {}

local WIDTH, HEIGHT = 640, 220
local TOP, BOTTOM, RIGHT = 10, HEIGHT - 28, WIDTH - 32 -- half of the last label is beside the plot
local CHAR = 7        -- the width of a character of a label, roughly
local GAP = 14        -- between two labels
local TICKS = 4       -- steps of the y axis, at most
local BAR = 0.8       -- of the place that a bar has
local BAR_MAX = 48
local LEAST = 1       -- the height of a bar that is there at all

---@class chart.series
---@field label string
---@field values number[]   one for each label of the x axis; not negative

---@class chart.bar
---@field x number
---@field y number
---@field width number
---@field height number
---@field label string      what it shows, in words
---@field class string      "series-1", …

--- `y` has a line through the plot and a label at its left, `x` a label below the plot.
---@class chart.tick
---@field x? number
---@field y? number
---@field label string

---@class chart
---@field width number
---@field height number
---@field left number       the edges of the plot
---@field right number
---@field top number
---@field bottom number
---@field bars chart.bar[]
---@field ticks chart.tick[]
---@field legend? { label: string, class: string }[]   nil for one series

--- Coordinates are not finer than what can be seen.
local function rounded(value)
  local tenths = math.floor(value * 10 + 0.5)
  return tenths % 10 == 0 and tenths // 10 or tenths / 10
end

--- A whole step of 1, 2 or 5 times a power of ten that leads to `most` in a few.
---@param most number
---@return integer
function chart.step(most)
  local step = 1
  while step * TICKS < most do
    local leading = tonumber(tostring(step):sub(1, 1))
    step = leading == 2 and step // 2 * 5 or step * 2
  end
  return step
end

--- The sum of the values at a place.
local function sum_at(series, i)
  local sum = 0
  for _, one in ipairs(series) do sum = sum + one.values[i] end
  return sum
end

local function highest(series, count)
  local most = 0
  for i = 1, count do most = math.max(most, sum_at(series, i)) end
  return most
end

local function y_ticks(plot)
  local ticks = {}
  for value = 0, plot.most, plot.step do
    ticks[#ticks + 1] = { y = rounded(plot.bottom - value * plot.scale), label = tostring(value) }
  end
  return ticks
end

--- Every label that there is room for, the last of them in any case: it is of today.
local function add_x_ticks(ticks, plot, labels)
  local widest = 0
  for _, label in ipairs(labels) do widest = math.max(widest, utf8.len(label) or #label) end
  local every = math.ceil((widest * CHAR + GAP) / plot.place)
  for i = #labels % every == 0 and every or #labels % every, #labels, every do
    ticks[#ticks + 1] = { x = rounded(plot.left + (i - 0.5) * plot.place), label = labels[i] }
  end
end

local function format_value(value)
  return ("%.14g"):format(rounded(value))
end

--- The bars of a place, one on top of the other; none for what is 0.
local function add_bars(bars, plot, series, i, label)
  local width = math.min(plot.place * BAR, BAR_MAX)
  local x, base = plot.left + (i - 0.5) * plot.place - width / 2, plot.bottom
  for number, one in ipairs(series) do
    local value = one.values[i]
    if value > 0 then
      local height = math.max(value * plot.scale, LEAST)
      base = base - height
      bars[#bars + 1] = { x = rounded(x), y = rounded(base), width = rounded(width),
        height = rounded(height), class = "series-" .. number,
        label = ("%s, %s: %s"):format(label, one.label, format_value(value)) }
    end
  end
end

local function legend_of(series)
  if #series == 1 then return nil end
  local legend = {}
  for i, one in ipairs(series) do legend[i] = { label = one.label, class = "series-" .. i } end
  return legend
end

--- Stacked bars, one for each label.
---@param labels string[]
---@param series chart.series[]
---@return chart
function chart.stacked(labels, series)
  local highest_sum = highest(series, #labels)
  local step = chart.step(highest_sum)
  local most = math.max(1, math.ceil(highest_sum / step)) * step
  local left = #tostring(most) * CHAR + GAP
  local plot = { left = left, bottom = BOTTOM, place = (RIGHT - left) / math.max(1, #labels),
    scale = (BOTTOM - TOP) / most, most = most, step = step }
  local bars, ticks = {}, y_ticks(plot)
  add_x_ticks(ticks, plot, labels)
  for i, label in ipairs(labels) do add_bars(bars, plot, series, i, label) end
  return { width = WIDTH, height = HEIGHT, left = left, right = RIGHT, top = TOP, bottom = BOTTOM,
    bars = bars, ticks = ticks, legend = legend_of(series) }
end

return chart
