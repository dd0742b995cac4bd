--- Charts: what can be checked of a picture without looking at it.

local chart = require "lib.chart"
local expect = require "lib.expect"

local tests = {}

local function labels_of(count, text)
  local labels = {}
  for i = 1, count do labels[i] = (text or "%d Mar"):format(i) end
  return labels
end

--- Series whose values are those of a function of the place and the series.
local function series_of(count, numbers, value)
  local series = {}
  for number = 1, numbers do
    series[number] = { label = "kind " .. number, values = {} }
    for i = 1, count do series[number].values[i] = value(i, number) end
  end
  return series
end

--- { the highest, the step }
local steps = { { 0, 1 }, { 1, 1 }, { 4, 1 }, { 5, 2 }, { 8, 2 }, { 9, 5 }, { 20, 5 }, { 21, 10 },
  { 41, 20 }, { 80, 20 }, { 81, 50 }, { 1999, 500 }, { 2001, 1000 }, { 1000000, 500000 },
  { 0.3, 1 }, { 4.5, 2 } }

for _, case in ipairs(steps) do
  tests[("steps up to %s"):format(case[1])] = function()
    expect.equal(chart.step(case[1]), case[2])
  end
end

tests["bars stand on each other, within the plot, and none is of nothing"] = function()
  for _, count in ipairs { 1, 7, 30, 90 } do
    local drawn = chart.stacked(labels_of(count),
      series_of(count, 6, function(i, number) return (i * number) % 5 end))
    local base, last = drawn.bottom, nil
    for _, bar in ipairs(drawn.bars) do
      if last ~= bar.x then base, last = drawn.bottom, bar.x end
      expect.equal(math.abs(bar.y + bar.height - base) < 0.2, true)
      expect.equal(bar.height > 0 and bar.y >= drawn.top - 0.1, true)
      expect.equal(bar.x >= drawn.left and bar.x + bar.width <= drawn.right, true)
      base = bar.y
    end
    expect.equal(#drawn.legend, 6)
  end
end

tests["a bar is as high as its value, on the scale of the ticks"] = function()
  local drawn = chart.stacked({ "a", "b" }, { { label = "sent", values = { 3, 0 } } })
  expect.equal({ #drawn.bars, drawn.legend }, { 1, nil })
  local bar = drawn.bars[1]
  expect.equal({ bar.class, bar.label }, { "series-1", "a, sent: 3" })
  for _, tick in ipairs(drawn.ticks) do
    if tick.label == "3" then expect.equal(tick.y, bar.y) end
    if tick.label == "0" then expect.equal(tick.y, drawn.bottom) end
  end
end

tests["what is small beside the rest is seen all the same"] = function()
  local drawn = chart.stacked({ "a", "b" }, { { label = "sent", values = { 1, 100000 } } })
  expect.equal(drawn.bars[1].height >= 1, true)
end

tests["labels below do not overlap, and today has one"] = function()
  for _, text in ipairs { "%d Mar", "%02d/03/2026", "%d févr." } do
    for _, count in ipairs { 1, 7, 30, 90 } do
      local drawn = chart.stacked(labels_of(count, text),
        series_of(count, 1, function() return 1 end))
      local last, label
      for _, tick in ipairs(drawn.ticks) do
        if tick.x then
          local half = utf8.len(tick.label) * 3.5
          expect.equal(last == nil or tick.x - half > last, true)
          last, label = tick.x + half, tick.label
        end
      end
      expect.equal(label, text:format(count))
      expect.equal(last <= drawn.width, true)
    end
  end
end

tests["nothing at all is a chart, too"] = function()
  local drawn = chart.stacked(labels_of(7), series_of(7, 2, function() return 0 end))
  expect.equal(drawn.bars, {})
  expect.equal({ drawn.ticks[1].label, drawn.ticks[2].label }, { "0", "1" })
  expect.equal(chart.stacked({}, { { label = "a", values = {} } }).bars, {})
end

return tests
