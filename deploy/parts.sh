# shellcheck shell=bash
# What deploy/cloudrun makes: each part looks whether it is there, and makes what is missing.

# --- gcloud -----------------------------------------------------------------------------------------

dry=''

# A line that can be pasted.
show() {
  local line
  printf -v line '%q ' gcloud "$@" --project="$PROJECT"
  printf '%s\n' "${line% }"
}

# ask WORDS...: something that changes nothing; what is not there has no answer.
ask() { gcloud "$@" --project="$PROJECT" 2>/dev/null </dev/null || true; }

is_there() { gcloud "$@" --project="$PROJECT" >/dev/null 2>&1 </dev/null; }

change() {
  show "$@"
  [ -n "$dry" ] || gcloud "$@" --project="$PROJECT" >&2 </dev/null
}

# pass TEXT WORDS...: a change that reads the text, which is not shown.
pass() {
  local text=$1
  shift
  show "$@"
  [ -n "$dry" ] || gcloud "$@" --project="$PROJECT" >&2 < <(printf %s "$text")
}

# The same, again and again while Google does not yet know what was made a moment ago.
settle() {
  local output left=$SETTLE_TRIES
  show "$@"
  [ -z "$dry" ] || return 0
  until output=$(gcloud "$@" --project="$PROJECT" 2>&1 </dev/null); do
    left=$((left - 1))
    [[ $left -gt 0 && $output =~ (does not exist|NOT_FOUND|Permission denied on secret) ]] ||
      die "$output"
    sleep "$SETTLE_SECONDS"
  done
}

# bindings WORDS...: a role and a member a line.
bindings() {
  gcloud "${@/VERB/get-iam-policy}" --flatten='bindings[].members' \
    --format='value(bindings.role,bindings.members)' --project="$PROJECT" </dev/null
}

has_line() { [[ $'\n'$1$'\n' == *$'\n'$2$'\n'* ]]; }

# grant ROLE MEMBER WORDS...: WORDS name a policy, with VERB for what is done to it.
grant() {
  local role=$1 member=$2
  shift 2
  has_line "$(bindings "$@" 2>/dev/null || true)" "$role"$'\t'"$member" ||
    settle "${@/VERB/add-iam-policy-binding}" --member="$member" --role="$role" --condition=None
}

# withdraw ROLE MEMBERS BINDINGS WORDS...: from everybody who is not among the members, a line each.
withdraw() {
  local role=$1 members=$2 bindings=$3 has member
  shift 3
  while IFS=$'\t' read -r has member; do
    [ "$has" != "$role" ] || has_line "$members" "$member" ||
      change "${@/VERB/remove-iam-policy-binding}" --member="$member" --role="$role" --condition=None
  done <<<"$bindings"
}

# --- what it takes ----------------------------------------------------------------------------------

account_name=paraph
readonly gateway=paraph-gateway tracker=paraph-tracker
readonly api_keys=paraph-api-keys metrics_key=paraph-metrics-key webhook_secret=paraph-webhook-secret

enable_apis() {
  local enabled api missing=() wanted=(run iamcredentials gmail firestore secretmanager)
  [ -n "$IMAGE" ] || wanted+=(artifactregistry cloudbuild)
  ! uses iap || wanted+=(iap)
  [ "$METRICS" = false ] || wanted+=(monitoring)
  enabled=$(ask services list --enabled --format='value(config.name)')
  for api in "${wanted[@]}"; do
    has_line "$enabled" "$api.googleapis.com" || missing+=("$api.googleapis.com")
  done
  [ ${#missing[@]} = 0 ] || change services enable "${missing[@]}"
}

make_account() {
  is_there iam service-accounts describe "$account" ||
    change iam service-accounts create "$account_name" --display-name="paraph, a mail gateway"
  # It signs as itself: that is all that stands between it and the mailbox, with the delegation.
  grant roles/iam.serviceAccountTokenCreator "serviceAccount:$account" \
    iam service-accounts VERB "$account"
  grant roles/datastore.user "serviceAccount:$account" projects VERB "$PROJECT"
  [ "$METRICS" = false ] ||
    grant roles/monitoring.metricWriter "serviceAccount:$account" projects VERB "$PROJECT"
}

# make_index FIELD: drafts by it, the newest first. Building it takes minutes, in which the service
# may start already.
make_index() {
  local known
  known=$(ask firestore indexes composite list --database="$FIRESTORE_DATABASE" \
    --format='value(name.segment(-3),fields.fieldPath.list())')
  has_line "$known" "$DRAFT_COLLECTION"$'\t'"$1,created_at" ||
    has_line "$known" "$DRAFT_COLLECTION"$'\t'"$1,created_at,__name__" ||
    change firestore indexes composite create --database="$FIRESTORE_DATABASE" \
      --collection-group="$DRAFT_COLLECTION" \
      --field-config="field-path=$1,order=ascending" \
      --field-config=field-path=created_at,order=descending --async
}

make_store() {
  local keys=${DRAFT_COLLECTION}_idempotency
  is_there firestore databases describe --database="$FIRESTORE_DATABASE" ||
    change firestore databases create --database="$FIRESTORE_DATABASE" \
      --location="$FIRESTORE_LOCATION" --type=firestore-native
  make_index status
  make_index waiting
  [ -n "$(ask firestore fields ttls list --database="$FIRESTORE_DATABASE" \
    --collection-group="$keys" --format='value(name)')" ] ||
    change firestore fields ttls update expires_at --database="$FIRESTORE_DATABASE" \
      --collection-group="$keys" --enable-ttl --async
}

# --- secrets ----------------------------------------------------------------------------------------

# They go by pipes alone: into no argument, no file, no log.

secret_value() { ask secrets versions access latest --secret="$1"; }

# The number of its newest version: a service that names it is deployed anew when there is a newer.
secret_version() {
  local version
  version=$(ask secrets versions describe latest --secret="$1" --format='value(name.basename())')
  printf %s "${version:-latest}"
}

# store_secret NAME VALUE: a new version, unless the newest is the same.
store_secret() {
  is_there secrets describe "$1" ||
    change secrets create "$1" --replication-policy=automatic
  [ "$(secret_value "$1")" = "$2" ] || pass "$2" secrets versions add "$1" --data-file=-
  grant roles/secretmanager.secretAccessor "serviceAccount:$account" secrets VERB "$1"
}

# read_secret FILE
read_secret() { if [ "$1" = - ]; then cat; else cat -- "$(path_of "$1")"; fi; }

new_key() { printf 'paraph_%s' "$(head -c 32 /dev/urandom | base64 | tr -d '=\n' | tr '+/' '-_')"; }

# The line of API_KEYS by which the collector, and whoever may read its secret, sees /metrics.
metrics_entry() { printf 'metrics=ops:%s' "$(printf %s "$1" | sha256sum | cut -d' ' -f1)"; }

# The lines of API_KEYS of all others: those given now, else those that are stored.
others_entries() {
  local lines entry='[A-Za-z0-9._-]+=[a-z+]+:[0-9A-Fa-f]{64}'
  [ -n "$API_KEYS_FILE" ] || {
    secret_value "$api_keys" | grep -v '^metrics=' || true
    return 0
  }
  lines=$(read_secret "$API_KEYS_FILE" | tr -s '[:space:],' '\n' | grep . || true)
  ! grep -vqxE "$entry" <<<"$lines" || {
    printf '%s: %s\n' API_KEYS_FILE "a line is not name=role+role:sha256-hex, as paraph key NAME prints
  it below the key (which belongs to its owner alone)" >&2
    exit 2
  }
  printf '%s\n' "$lines"
}

make_secrets() {
  local key others
  key=$(secret_value "$metrics_key")
  others=$(others_entries)
  [ "$AUTH" != key ] || [ -n "$others" ] ||
    die "API_KEYS_FILE is not set, and AUTH is key: nobody could call. paraph key NAME ROLE... makes keys"
  store_secret "$metrics_key" "${key:=$(new_key)}"
  store_secret "$api_keys" "$(metrics_entry "$key")${others:+$'\n'}$others"
  if [ -n "$WEBHOOK_SECRET_FILE" ]; then
    store_secret "$webhook_secret" "$(read_secret "$WEBHOOK_SECRET_FILE")"
  elif [ -n "$WEBHOOK_URL" ] && ! is_there secrets describe "$webhook_secret"; then
    die "WEBHOOK_SECRET_FILE is not set, and WEBHOOK_URL is: what is posted there must be signed"
  fi
}

# --- image ------------------------------------------------------------------------------------------

# A tree with changes is none that a name could stand for: it is built each time.
tree_tag() {
  local tag
  tag=$(git describe --always --abbrev=12 --dirty 2>/dev/null || echo unknown-dirty)
  case $tag in *-dirty) printf '%s-%s' "$tag" "$(date +%Y%m%d%H%M%S)" ;; *) printf %s "$tag" ;; esac
}

build_image() {
  [ -z "$IMAGE" ] || return 0
  is_there artifacts repositories describe paraph --location="$REGION" ||
    change artifacts repositories create paraph --location="$REGION" --repository-format=docker
  IMAGE=$REGION-docker.pkg.dev/$PROJECT/paraph/paraph:$(tree_tag)
  is_there artifacts docker images describe "$IMAGE" ||
    change builds submit . --tag="$IMAGE"
}

# --- services ---------------------------------------------------------------------------------------

# What the descriptions name besides the settings.
# shellcheck disable=SC2034
compute() {
  account=$account_name@$PROJECT.iam.gserviceaccount.com
  SERVICE_ACCOUNT=$account
  # The address that Cloud Run gives a service is known before it is there.
  TRACKER_URL=https://${DOMAIN:-$tracker-$number.$REGION.run.app}
  GATEWAY_URL=https://$gateway-$number.$REGION.run.app
  IAP_AUDIENCE=/projects/$number/locations/$REGION/services/$gateway
  IAP_ENABLED=false
  ! uses iap || IAP_ENABLED=true
  # The collector has a key, whatever the others have.
  AUTH_METHODS=$AUTH
  uses key || AUTH_METHODS+=,key
  GOOGLE_ALLOWED=
  ! uses google || GOOGLE_ALLOWED=$AUTH_ALLOWED
  CPU_THROTTLING=false MIN_INSTANCES=1
  [ "$ALWAYS_ON" = true ] || CPU_THROTTLING=true MIN_INSTANCES=0
}

# shellcheck disable=SC2034
read_versions() {
  API_KEYS_VERSION=$(secret_version "$api_keys")
  METRICS_KEY_VERSION=$(secret_version "$metrics_key")
  WEBHOOK_SECRET_VERSION=$(secret_version "$webhook_secret")
}

# What is between "# if NAME" and "# end" goes unless the variable says yes; so do comments.
choose_lines() {
  local line name skip=
  while IFS= read -r line; do
    if [[ $line =~ ^[[:space:]]*'# if '([A-Z_]+)$ ]]; then
      name=${BASH_REMATCH[1]}
      case ${!name} in '' | false) skip=yes ;; esac
    elif [[ $line =~ ^[[:space:]]*'# end'$ ]]; then
      skip=
    elif [ -z "$skip" ] && ! [[ $line =~ ^[[:space:]]*# ]]; then
      printf '%s\n' "$line"
    fi
  done
}

# ${NAME} becomes the variable's value, as it stands between single quotes of YAML.
fill_in() {
  local line out name
  while IFS= read -r line; do
    out=
    while [[ $line =~ \$\{([A-Z_]+)\} ]]; do
      name=${BASH_REMATCH[1]}
      [ -n "${!name+set}" ] || die "a description names \${$name}, which is nothing"
      out+=${line%%"\${$name}"*}${!name//\'/\'\'}
      line=${line#*"\${$name}"}
    done
    printf '%s\n' "$out$line"
  done
}

# describe NAME: the description of a service, ready for Cloud Run, in build/cloudrun/.
describe() {
  mkdir -p build/cloudrun
  { cat "deploy/$1.yaml" && { [ "$METRICS" = false ] || cat deploy/collector.yaml; }; } |
    choose_lines | fill_in >"build/cloudrun/$1.yaml"
}

# members: who AUTH_ALLOWED names, as IAM calls them.
members() {
  local item items
  IFS=', ' read -ra items <<<"$AUTH_ALLOWED"
  for item in "${items[@]}"; do
    case $item in
    '') ;;
    *:*) printf '%s\n' "$item" ;;
    @*) printf 'domain:%s\n' "${item#@}" ;;
    *.gserviceaccount.com) printf 'serviceAccount:%s\n' "$item" ;;
    *) printf 'user:%s\n' "$item" ;;
    esac
  done
}

# Who reaches the gateway at all: everybody, unless Google asks first.
invokers() {
  if uses iap; then
    printf 'serviceAccount:service-%s@gcp-sa-iap.iam.gserviceaccount.com\n' "$number"
  elif uses iam; then
    members
  else
    echo allUsers
  fi
}

readonly reaches=(run services VERB "$gateway") passes=(beta iap web VERB --resource-type=cloud-run
  --service="$gateway")

# Before AUTH changes: with iam and iap, the program trusts that Google has asked. So what cannot be
# read here ends it.
close_gateway() {
  local there open
  there=$(gcloud run services list --region="$REGION" --format='value(metadata.name)' \
    --project="$PROJECT" </dev/null) || [ -n "$dry" ]
  has_line "$there" "$gateway" || return 0
  open=$(bindings "${reaches[@]}" --region="$REGION")
  withdraw roles/run.invoker "$(invokers)" "$open" "${reaches[@]}" --region="$REGION"
  uses iap || return 0
  # Where IAP was never asked, it has none.
  open=$(bindings "${passes[@]}" --region="$REGION" 2>/dev/null || true)
  withdraw roles/iap.httpsResourceAccessor "$(members)" "$open" "${passes[@]}" --region="$REGION"
}

open_gateway() {
  local member
  # Making it again makes nothing.
  ! uses iap || change beta services identity create --service=iap.googleapis.com
  while IFS= read -r member; do
    grant roles/run.invoker "$member" "${reaches[@]}" --region="$REGION"
  done < <(invokers)
  uses iap || return 0
  while IFS= read -r member; do
    grant roles/iap.httpsResourceAccessor "$member" "${passes[@]}" --region="$REGION"
  done < <(members)
}

deploy_services() {
  read_versions
  describe tracker
  describe gateway
  # The tracker first: what the gateway sends points to it.
  settle run services replace build/cloudrun/tracker.yaml --region="$REGION"
  grant roles/run.invoker allUsers run services VERB "$tracker" --region="$REGION"
  close_gateway
  settle run services replace build/cloudrun/gateway.yaml --region="$REGION"
  open_gateway
}

dashboards() { ask monitoring dashboards list --filter='displayName=paraph' --format='value(name)'; }

# One that is there stays as it is: somebody may have changed it.
make_dashboard() {
  [ "$METRICS" = false ] || [ -n "$(dashboards)" ] ||
    change monitoring dashboards create --config-from-file=deploy/dashboard.json
}
