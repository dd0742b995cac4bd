/*
 * delivery.pml - how a reviewed draft leaves once (scripts/lib/delivery.lua), as a model for spin.
 *
 * One draft, and instances that answer POST /send-draft and sweep.  How much goes wrong in a
 * run is bounded (below); when, and in what order, is not.  An instance is as slow as it likes
 * between any two calls.  It crashes, is refused, or gets no answer to a call, which then was
 * served, never is, or is served as late as it likes.
 *
 * Claimed of every run:
 *   - one mail leaves at most, while the document says `sending`, and only if it was asked for;
 *   - `sent` is written only when the mail has left, `pending` only when it has not;
 *   - all comes to rest, and then nothing is left in `sending`, a mail that was sent has its pixel,
 *     and no draft is left in the mailbox, unless a lease ran out while its holder, or a call of
 *     his, was still on the way.
 *
 * Every word that #ifdef asks for takes one rule out; then one of the claims fails (see run).
 */
#ifndef INSTANCES
#define INSTANCES 2
#endif
#ifndef FAULTS
#define FAULTS 3 /* crashes, lost answers, refusals */
#endif
#ifndef EARLY
#define EARLY 2 /* leases that run out too early */
#endif
#ifndef REQUESTS
#define REQUESTS 2 /* to send the draft while it is pending */
#endif
#define DRAFTS 7 /* that can come into the mailbox: a bit for each, but not the first */

mtype = { pending, sending, sent, rejected };                    /* the document */
mtype = { waiting, delivered, deleted };                         /* a draft in the mailbox */
mtype = { claim, take_over, hold,                                /* calls: claims, */
          renew, note, withdraw, release, mark, mark_anyway,     /* other writes of the document, */
          expect, forget, open_pixel, close_pixel,               /* of other documents, */
          drafts_of, draft_create, draft_send, draft_exists, draft_delete };
mtype = { ok, conflict, refused, gone, lost };                   /* answers */

/* Sets of small numbers. */
#define HAS(set, n)     (((set) >> (n)) & 1)
#define WITH(set, n)    ((set) | 1 << (n))
#define WITHOUT(set, n) ((set) & ~(1 << (n)))

/* The store: the draft's document, its pixel, and an entry for the sweep to look for strays. */
mtype status = pending;
byte gmail_draft_id;
bool asked_for, withdrawing, lease_is_over;
bool pixel;
bool expected, due; /* there is an entry; it is old enough */

/* Of versions only this matters: which instances, or the call that is on its way, could name the
 * one that the document has now; that the pixel has; that the entry has. */
byte current, pixel_current, entry_current;
#define LATE INSTANCES

/* The mailbox: its drafts have numbers, from 1. */
mtype box[DRAFTS + 1];
byte made, mails;

/* The world. */
byte faults = FAULTS, early = EARLY, requests = REQUESTS;
bool rejectable = true;
byte holders, expecting;   /* how many instances hold a claim, and expect strays of it */
bool overtaken;            /* something has run out too early */
mtype late; byte late_arg; /* the call that is on its way */

/* --- the store and the mailbox ---------------------------------------------------------------- */

#define CLAIMS(call)      (call == claim || call == take_over || call == hold)
#define STEP(call)        (call == renew || call == note || call == withdraw)
#define ENDS(call)        (call == release || call == mark)
#define READS(call)       (call == drafts_of || call == draft_exists)
#define NEEDS_DRAFT(call) (call == draft_send || call == draft_exists || call == draft_delete)

/* Writes that take place only if the document still has the version that they name. */
#ifdef NO_PRECONDITION
#define NAMES_VERSION(call) (STEP(call) || ENDS(call))
#else
#define NAMES_VERSION(call) (STEP(call) || ENDS(call) || CLAIMS(call))
#endif

/* What a call does, all at once. */
inline serve(call, arg, who) {
  d_step {
    if
    :: NAMES_VERSION(call) && !HAS(current, who) -> answer = conflict
    :: call == forget && !HAS(entry_current, who) -> answer = conflict
#ifndef BLIND_CLOSE
    :: call == close_pixel && !HAS(pixel_current, who) -> answer = conflict
#endif
    :: NEEDS_DRAFT(call) && box[arg] != waiting -> answer = gone
    :: else ->
       answer = ok;
       if
       :: CLAIMS(call) ->
          current = 0; status = sending; lease_is_over = false;
          if
          :: call == claim -> asked_for = true
#ifdef UNMARKED_HOLD
          :: call == hold
#else
          :: call == hold -> withdrawing = true
#endif
          :: call == take_over
          fi
       :: call == renew -> current = 0; lease_is_over = false
       :: call == note -> current = 0; gmail_draft_id = arg
       :: call == withdraw -> current = 0; gmail_draft_id = arg; withdrawing = true
       :: call == release ->
          current = 0; status = pending; gmail_draft_id = 0; withdrawing = false;
          lease_is_over = false; asked_for = false;
          assert(mails == 0)
       :: call == mark || call == mark_anyway ->
          current = 0; status = sent; withdrawing = false; lease_is_over = false;
          assert(mails == 1)
       :: call == expect ->
          expected = true; due = false; entry_current = 0
       :: call == forget -> expected = false; due = false
       :: call == open_pixel -> pixel = true; pixel_current = 0
       :: call == close_pixel -> pixel = false; pixel_current = 0
       :: call == draft_create -> made++; box[made] = waiting
       :: call == draft_send ->
          box[arg] = delivered; mails++;
          assert(mails == 1 && status == sending && asked_for)
       :: call == draft_delete -> box[arg] = deleted
       :: READS(call)
       fi
    fi;
    printf("%d: %e %d: %e\n", _pid, call, arg, answer)
  }
}

/* --- an instance ------------------------------------------------------------------------------ */

/* What the caller keeps of an answer. */
inline keep(call) {
  d_step {
    if
    :: answer != ok
    :: answer == ok && CLAIMS(call) -> current = WITH(current, _pid); holds = true; holders++
    :: answer == ok && STEP(call) -> current = WITH(current, _pid)
    :: answer == ok && call == open_pixel -> pixel_current = WITH(pixel_current, _pid)
    :: answer == ok && call == expect && !expects -> expects = true; expecting++
    :: answer == ok && call == draft_create -> staged = made
    :: answer == ok && call == drafts_of ->
       for (i : 1 .. made) {
         strays = (box[i] == waiting -> WITH(strays, i) : strays)
       }
       i = 0
    :: else
    fi
  }
}

/* Make a call, and get an answer, or none, or come to one's end waiting for it. */
inline ask(call, arg) {
  if
  :: serve(call, arg, _pid); keep(call)
  :: faults > 0 && (call == draft_create || call == draft_send) ->
     faults--; answer = refused; printf("%d: %e %d: refused\n", _pid, call, arg)
#ifdef TRUST_RETRY
  :: faults > 0 && call == draft_delete ->
     faults--; serve(call, arg, _pid); serve(call, arg, _pid)
#endif
  :: faults > 0 ->
     faults--; printf("%d: %e %d: no answer\n", _pid, call, arg);
     if
     :: serve(call, arg, _pid)
     :: late == 0 && !READS(call) -> late = call; late_arg = arg;
        current = current | HAS(current, _pid) << LATE;
        pixel_current = pixel_current | HAS(pixel_current, _pid) << LATE;
        entry_current = entry_current | HAS(entry_current, _pid) << LATE
     :: true
     fi;
     if
     :: answer = lost
     :: printf("%d: crashes\n", _pid); goto done
     fi
  fi
}

/* drafts.load() */
inline read_document(why) {
  doing = why; current = WITH(current, _pid);
  staged = gmail_draft_id; was_withdrawing = withdrawing;
  printf("%d: reads %e, draft %d, withdrawing %d\n", _pid, status, staged, was_withdrawing)
}

inline find_first_stray() {
  do
  :: !HAS(strays, i) -> i++
  :: else -> break
  od
}

active [INSTANCES] proctype Instance() {
  mtype doing;           /* the claim that it is to be, or is */
  bool holds, expects;   /* it is counted in holders, in expecting */
  byte staged;           /* the claim's draft */
  byte strays, i;        /* the drafts that were found */
  bool was_withdrawing, again;
  mtype answer;

end:
  if
  :: atomic { status == pending && requests > 0 -> requests--; read_document(claim) }
  :: atomic { status == sending && lease_is_over -> read_document(take_over) }
  :: atomic {
       expected && due && status != sending -> /* strays.sweep() */
       read_document(hold); entry_current = WITH(entry_current, _pid);
       if
       :: status == pending
       :: else -> goto remove_strays
       fi
     }
  fi;

  /* take_claim(), remove_claimed() */
  atomic {
    if
    :: doing == claim -> ask(claim, 0)
    :: doing == take_over -> ask(take_over, 0)
    :: doing == hold -> ask(hold, 0)
    fi;
    if
    :: answer != ok -> goto done
    :: else
    fi
  };

  /* continue(): whoever takes over has the pixel from here on */
  if
  :: atomic {
       doing == take_over -> ask(open_pixel, 0); if :: answer == lost -> goto done :: else fi
     }
  :: else
  fi;
  if
  :: doing == claim -> goto stage
  :: doing == take_over && was_withdrawing && staged == 0 -> goto give_back
  :: doing == take_over && was_withdrawing && staged != 0 -> goto take_back
  :: doing == take_over && !was_withdrawing && staged != 0 -> goto send
  :: else
  fi;

remove_strays: /* What somebody made and did not come to write down, he cannot write down any more,
   * so nobody sends it.  But whoever has taken over meanwhile makes a draft of his own: the write
   * before the deletes proves that nobody had, when these were found. */
  atomic { ask(drafts_of, 0); if :: answer == lost -> goto let_go :: else fi };
#ifdef ADOPT
  if
  :: d_step {
       doing == take_over && strays != 0 -> find_first_stray(); staged = i; i = 0; strays = 0
     };
     goto write_down
  :: else
  fi;
#endif
#ifndef NO_FENCE
  if
  :: atomic { holds && strays != 0 -> ask(renew, 0); if :: answer != ok -> goto done :: else fi }
  :: else
  fi;
#endif
  do
  :: atomic {
       strays != 0 -> find_first_stray();
       ask(draft_delete, i);
       if :: answer == lost -> goto let_go :: else fi;
       strays = WITHOUT(strays, i); i = 0
     }
  :: strays == 0 -> break
  od;
  if
  :: doing == take_over -> goto stage
  :: atomic { doing == hold && holds -> ask(release, 0) }
  :: doing == hold && !holds
  fi;
  atomic { ask(forget, 0); goto done };

let_go:
  if
  :: atomic { doing == hold && holds -> ask(release, 0) }
  :: else
  fi;
  goto done;

stage: /* pixels.open(), create(), stage().  The sweep is told of what may lie in the mailbox and is
   * written down nowhere, before the draft is sent or given back. */
  if
  :: atomic {
       doing == claim -> ask(open_pixel, 0); if :: answer == lost -> goto give_back :: else fi
     }
  :: else
  fi;
create:
  atomic {
    ask(draft_create, 0);
    if
    :: answer == ok -> again = false; goto write_down
    :: answer == refused -> goto give_back
    :: answer == lost
    fi
  };
#ifndef UNEXPECTED
  atomic { ask(expect, 0); if :: answer == lost -> goto done :: else fi };
#endif
  if
  :: atomic { !again -> again = true; goto create }
  :: else -> goto give_back
  fi;

write_down:
#ifndef NO_STEP
  atomic { ask(note, staged); if :: answer == lost -> goto take_back :: else fi };
  if
  :: answer == ok
  :: atomic { answer == conflict -> ask(draft_delete, staged); goto done }
  fi;
#endif

send: /* send_staged() */
  atomic {
    ask(draft_send, staged);
    if
    :: answer == refused && !again -> goto take_back
    :: else
    fi
  };
  if
  :: atomic { answer == ok -> ask(mark_anyway, 0); goto done }
  :: answer != ok
  fi;
#ifdef NO_SETTLE
  goto give_back;
#endif
  atomic {
    ask(draft_exists, staged);
    if
    :: answer == gone -> goto was_sent
    :: answer == ok && !again -> again = true; goto send
    :: else -> goto done
    fi
  };

take_back: /* withdraw() */
#ifdef RELEASE_FIRST
  atomic { ask(release, 0); if :: answer != ok -> goto done :: else fi };
  atomic { ask(draft_delete, staged); goto done };
#endif
  atomic { again = false; ask(withdraw, staged); if :: answer != ok -> goto done :: else fi };
  atomic {
    ask(draft_delete, staged);
    if
    :: answer == ok -> goto give_back
    :: answer == lost -> goto done
    :: answer == gone && !was_withdrawing -> goto was_sent
    :: answer == gone && was_withdrawing
    fi
  };
  atomic {
    ask(draft_exists, staged);
    if
    :: answer == lost -> goto done
#ifdef NO_EVIDENCE
    :: answer == gone
#else
    :: answer == gone && box[staged] == delivered -> goto was_sent
    :: answer == gone && box[staged] == deleted
#endif
    fi
  };

give_back: /* release(), pixels.close() */
  atomic { ask(release, 0); if :: answer != ok -> goto done :: else fi };
  if
  :: atomic { HAS(pixel_current, _pid) -> ask(close_pixel, 0) }
  :: else
  fi;
  goto done;

was_sent: /* mark_sent(), of what is gone.  Whoever took over may have deleted it. */
#ifdef BLIND_MARK
  atomic { ask(mark_anyway, 0) };
#else
  atomic { ask(mark, 0) };
#endif

done:
  atomic {
    holders = holders - holds; holds = false;
    expecting = expecting - expects; expects = false;
    current = WITHOUT(current, _pid); pixel_current = WITHOUT(pixel_current, _pid);
    entry_current = WITHOUT(entry_current, _pid);
    doing = 0; staged = 0; strays = 0; i = 0; was_withdrawing = false; again = false; answer = 0;
    goto end
  }
}

/* --- the world -------------------------------------------------------------------------------- */

#define UNDER_LEASE (status == sending && !lease_is_over)
#define AWAITED     (expected && !due)

inline end_late() {
  late = 0; late_arg = 0;
  current = WITHOUT(current, LATE); pixel_current = WITHOUT(pixel_current, LATE);
  entry_current = WITHOUT(entry_current, LATE)
}

active proctype World() {
  mtype answer;

end:
  do
  :: d_step {
       late != 0 ->
       serve(late, late_arg, LATE);
       end_late();
       answer = 0
     }
  :: d_step {
       late != 0 -> end_late()
     }
  :: d_step {
       status == pending && rejectable ->
       rejectable = false; status = rejected; current = 0; printf("rejected\n")
     }
  :: d_step {
       UNDER_LEASE && holders == 0 && late == 0 ->
       lease_is_over = true; printf("the lease runs out\n")
     }
  :: d_step {
       UNDER_LEASE && (holders > 0 || late != 0) && early > 0 ->
       early--; lease_is_over = true; overtaken = true; printf("the lease runs out early\n")
     }
  :: d_step {
       AWAITED && expecting == 0 && late == 0 -> due = true; printf("strays are looked for\n")
     }
  :: d_step {
       AWAITED && (expecting > 0 || late != 0) && early > 0 ->
       early--; due = true; overtaken = true; printf("strays are looked for early\n")
     }
  :: timeout -> break /* all has come to rest */
  od;
  assert(status != sending);
  assert((status == sent) == (mails == 1));
  assert(status != sent || pixel);
  do
  :: made > 0 -> assert(overtaken || box[made] != waiting); made--
  :: else -> break
  od
}
