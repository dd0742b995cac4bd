-- What wrk posts.
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.body = '{"to":"Ann <ann@example.com>","subject":"Hello from the bench","mode":"draft",'
  .. '"message":"Hi Ann!\\n\\nA few lines of text, as people write them.\\n\\nBest,\\nBob"}'
