# Completion of paraph(1) for bash.
# shellcheck disable=SC2207 # what is offered here has no white space, but for files

_paraph_words() { COMPREPLY=($(compgen -W "$1" -- "$2")); }

_paraph_files() {
  local IFS=$'\n'
  compopt -o filenames 2>/dev/null
  COMPREPLY=($(compgen -f -- "$1"))
}

_paraph() {
  local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} options words=
  # --name=value is three words
  if [[ $cur == = ]]; then
    cur=
  elif [[ $prev == = ]]; then
    prev=${COMP_WORDS[COMP_CWORD - 2]}
  fi
  if ((COMP_CWORD == 1)); then
    _paraph_words 'serve repl send drafts check test key --help --version' "$cur"
    return
  fi

  case ${COMP_WORDS[1]}:$prev in
  send:--attach | send:--message-file)
    _paraph_files "$cur"
    return
    ;;
  send:--format)
    _paraph_words 'text markdown html' "$cur"
    return
    ;;
  send:--mode)
    _paraph_words 'draft send' "$cur"
    return
    ;;
  send:--to | send:--cc | send:--bcc | send:--from | send:--from-name | send:--reply-to | \
    send:--subject | send:--message | send:--template | send:--var | send:--vars | \
    send:--thread-id | send:--in-reply-to | send:--metadata | send:--idempotency-key | \
    drafts:--limit | drafts:--page-token | check:--replay | repl:--attach)
    return
    ;;
  esac

  options=
  case ${COMP_WORDS[1]} in
  repl) options='--attach' ;;
  send)
    options='--to --cc --bcc --from --from-name --reply-to --subject --message --message-file
      --format --template --var --vars --attach --thread-id --in-reply-to --no-tracking --metadata
      --idempotency-key --draft --mode --dry-run --json'
    ;;
  drafts)
    options='--limit --page-token --json'
    words='pending sending sent rejected held failed approved'
    ;;
  check) options='--live --replay --json' ;;
  test) options='--real --verbose --json' ;;
  key)
    options='--json'
    words='draft send review ops'
    ;;
  esac
  if [[ $cur == -* ]]; then
    _paraph_words "$options --help --version" "$cur"
  elif [[ -n $words ]]; then
    _paraph_words "$words" "$cur"
  elif [[ ${COMP_WORDS[1]} == send || ${COMP_WORDS[1]} == test ]]; then
    _paraph_files "$cur"
  fi
}

complete -F _paraph paraph
