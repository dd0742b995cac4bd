--- Ask for a second reviewer when a message goes to many.
---
--- my/policy/review.lua:
---
---   local rules = require "lib.rules"
---   local two_reviewers = require "recipes.two_reviewers"
---   return { approve = rules.first { { "second reviewer", two_reviewers(10) } } }
---
--- The first reviewer of a draft to more than ten recipients is told that he is noted, and the
--- draft waits; when another approves the very same message, it leaves. An edit in between asks for
--- both again. Reviewers are told apart by name, so under AUTH=none, where everybody is
--- "anonymous", there is never a second one. It does not stop a send without review: for that,
--- `decide` must hold it.

local given = require "lib.given"

---@param above integer   so many recipients need no second reviewer
---@return rule
return function(above)
  given("two_reviewers", above, "integer")
  return function(letter)
    if #letter.recipients > above and #letter.approvals < 2 then
      return "hold", ("it goes to %d recipients: a second reviewer must approve it, too")
        :format(#letter.recipients)
    end
  end
end
