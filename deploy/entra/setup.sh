#!/bin/sh
# Registers fastmcp-auth in Microsoft Entra ID with the Azure CLI: run "setup.sh --help".
#
# It converges: it reads what is there, writes only what differs, and leaves alone what others added. An application
# that it did not make has no mark, and is neither changed nor removed. It creates no secret.
#
# All of the directory is reached with "az rest", since the shorter commands do other things here: "az ad app create"
# patches an application of the same name, whoever made it; "az ad app permission grant" deletes the grants it finds;
# "az ad app permission admin-consent" knows the public cloud only.
set -eu

usage() {
	cat <<'USAGE'
usage: setup.sh [apply|check|remove] [options]

  apply    register the API and the public client, repair what drifted (the default)
  check    change nothing; report each difference
  remove   delete the two applications that apply made

  --name NAME           the applications are "NAME API" and "NAME Client" (default: fastmcp-auth)
  --api-name NAME       the API's name in full
  --client-name NAME    the client's name in full
  --tenant ID           refuse to work in any other tenant than this
  --scopes "A B C"      delegated scopes; the first opens every tool (default: "execute time:read time:convert")
  --redirect-uri URI    one more redirect URI of the public client; may be repeated
  --multi-tenant        let people of other organizations sign in (default: this tenant only)
  --no-consent          leave consent to the people or to an administrator
  --dry-run             say what apply or remove would do, and do nothing
  --yes                 remove without asking
  --help                this text

The settings for .env go to stdout, everything else to stderr. Sign in first with "az login"; for another cloud run
"az cloud set --name AzureUSGovernment" or "AzureChinaCloud" before that.

exit codes:
  0  done, or nothing differs
  1  failed
  2  wrong usage; or an application of that name exists which this script did not make
  3  cancelled: remove was not confirmed
  4  sign-in is needed, or the directory refused; after apply: only an administrator's consent is missing
  5  check found differences
  6  the Azure CLI is missing, or the directory was not reached
USAGE
}

marker=fastmcp-auth-setup                               # the tag that marks an application as made here
enterprise=WindowsAzureActiveDirectoryIntegratedApp     # the tag with which the portal lists an enterprise application
graph_app=00000003-0000-0000-c000-000000000000          # Microsoft Graph, in every tenant
openid_id=37f7f235-527c-4136-accd-4a02d197296e          # its delegated permissions, the same in every tenant
profile_id=14dad69e-099b-42c9-810b-d002981feec1
offline_access_id=7427e0e9-2fba-42fe-b0c0-848c9e6a8182

action=apply name=fastmcp-auth api_name='' client_name='' tenant_wanted=''
scopes='execute time:read time:convert'
admin_role=Tools.Admin app_role=Tools.Execute # the roles that the server lets programs in by
redirects='http://localhost http://localhost/callback http://127.0.0.1 http://127.0.0.1/callback'
audience=AzureADMyOrg consent=yes dry_run=no assume_yes=no
differences=0 changes=0 consent_missing=no

say() { printf '%s\n' "$*" >&2; }
# stop CODE MESSAGE [HINT] ends the script.
stop() {
	say "setup.sh: error: $2"
	if [ -n "${3-}" ]; then say "setup.sh: hint: $3"; fi
	exit "$1"
}
wrong() { stop 2 "$1" 'run "setup.sh --help"'; }

# ---- what the person asked for

read_arguments() {
	case ${1-} in
	apply | check | remove) action=$1 && shift ;;
	esac
	while [ $# -gt 0 ]; do
		case $1 in
		--name | --api-name | --client-name | --tenant | --scopes | --redirect-uri)
			if [ $# -lt 2 ] || [ -z "$2" ]; then wrong "$1 needs a value"; fi
			;;
		esac
		case $1 in
		--name) name=$2 && shift ;;
		--api-name) api_name=$2 && shift ;;
		--client-name) client_name=$2 && shift ;;
		--tenant) tenant_wanted=$2 && shift ;;
		--scopes) scopes=$2 && shift ;;
		--redirect-uri) need_redirect "$2" && redirects="$redirects $2" && shift ;;
		--multi-tenant) audience=AzureADMultipleOrgs ;;
		--no-consent) consent=no ;;
		--dry-run) dry_run=yes ;;
		--yes) assume_yes=yes ;;
		--help | -h) usage && exit 0 ;;
		*) wrong "unknown argument \"$1\"" ;;
		esac
		shift
	done
	api_name=${api_name:-$name API} client_name=${client_name:-$name Client}
	need_name "$api_name"
	need_name "$client_name"
	if [ "$api_name" = "$client_name" ]; then wrong "the API and the client need different names"; fi
	set -f # the scopes are words, not file names
	# shellcheck disable=SC2086
	set -- $scopes
	if [ $# -eq 0 ]; then wrong "--scopes names no scope"; fi
	for word; do need_word "$word"; done
}

# The values below stand in JSON and in queries, so they hold no quote, backslash or backtick. Entra itself allows a
# few more characters in a scope, a space in none (Graph, permissionScope: value).
need_name() { case $1 in *[!A-Za-z0-9\ ._\(\)-]* | ' '*) wrong "the name \"$1\" may hold letters, digits, spaces, and . _ - ( )" ;; esac }
need_word() {
	case $1 in
	.* | *[!A-Za-z0-9._:/-]*) wrong "\"$1\" may hold letters, digits, and . _ : / -, and may not begin with a dot" ;;
	esac
	if [ ${#1} -gt 120 ]; then wrong "\"$1\" is longer than 120 characters"; fi
}
need_redirect() {
	case $1 in
	*[!A-Za-z0-9._:/\[\]~%-]*) wrong "the redirect URI \"$1\" holds a character that Entra ID does not support" ;;
	https://?* | http://localhost | http://localhost[:/]* | http://127.0.0.1 | http://127.0.0.1[:/]*) ;;
	*) wrong "the redirect URI \"$1\" is neither https nor http on loopback" ;;
	esac
}

# ---- the directory

# sign_in_state finds out who is signed in where: tenant, cloud, login host, Graph.
sign_in_state() {
	if ! command -v az >/dev/null 2>&1; then
		stop 6 "the Azure CLI (az) is not installed" "see https://learn.microsoft.com/cli/azure/install-azure-cli, or use the Cloud Shell"
	fi
	login_hint='run "az login --allow-no-subscriptions"'
	if ! answer=$(az account show --only-show-errors --query '[tenantId, environmentName]' --output tsv 2>"$errors"); then
		stop 4 "the Azure CLI is not signed in" "$login_hint"
	fi
	# shellcheck disable=SC2086
	set -- $answer
	if [ $# -ne 2 ]; then stop 4 "the Azure CLI names no tenant" "$login_hint"; fi
	tenant=$1 cloud=$2
	if [ -n "$tenant_wanted" ] && [ "$tenant_wanted" != "$tenant" ]; then
		stop 4 "the Azure CLI is signed in to the tenant $tenant" "run \"az login --allow-no-subscriptions --tenant $tenant_wanted\""
	fi
	answer=$(az cloud show --only-show-errors --query '[endpoints.activeDirectory, endpoints.microsoftGraphResourceId]' --output tsv 2>"$errors") ||
		refused "read the cloud's addresses"
	# shellcheck disable=SC2086
	set -- $answer
	if [ $# -ne 2 ]; then stop 1 "the cloud $cloud has no address for Microsoft Graph" 'run "az cloud update" or update the Azure CLI'; fi
	login=${1%/} graph=${2%/}/v1.0
	case $cloud in
	AzureCloud) cloud_setting=public ;;
	AzureUSGovernment) cloud_setting=usgov ;;
	# The Azure CLI keeps an older address for China; tokens and metadata name this one.
	AzureChinaCloud) cloud_setting=china login=https://login.partner.microsoftonline.cn ;;
	*) stop 2 "fastmcp-auth does not know the cloud $cloud" 'run "az cloud set --name AzureCloud"' ;;
	esac
}

# rest METHOD PATH [ARGUMENT…] prints the answer of Graph. What was created a moment ago may not be known everywhere
# yet, so "not found" is asked again for a while.
rest() {
	rest_method=$1 rest_path=$2 rest_tries=10
	shift 2
	while ! rest_answer=$(az rest --only-show-errors --method "$rest_method" --url "$graph/$rest_path" "$@" 2>"$errors"); do
		rest_tries=$((rest_tries - 1))
		if [ $rest_tries -eq 0 ] || ! grep -Eq 'Request_ResourceNotFound|NoBackingApplicationObject' "$errors"; then return 1; fi
		sleep "${SETUP_WAIT:-3}"
	done
	if [ -n "$rest_answer" ]; then printf '%s\n' "$rest_answer"; fi
}

denied() { grep -Eq 'Authorization_RequestDenied|Insufficient privileges' "$errors"; }

# refused WHAT ends the script after a call that did not succeed, with the code that fits.
refused() {
	sed -n 's/^ERROR: /  az: /p' "$errors" | sed 4q >&2 # a traceback may follow
	if denied; then
		stop 4 "the directory does not let you $1" "ask for the role Application Developer, or Cloud Application Administrator for consent too"
	fi
	if grep -Eq "az login|AADSTS" "$errors"; then stop 4 "sign-in is needed to $1" "$login_hint"; fi
	if grep -Eqi 'Max retries exceeded|ConnectionError|timed out|Failed to establish|getaddrinfo' "$errors"; then
		stop 6 "could not reach the directory to $1"
	fi
	stop 1 "could not $1"
}

# find_app NAME sets found_app and found_id, both empty where there is no application of that name.
find_app() {
	found_app='' found_id=''
	found=$(rest GET applications --url-parameters "\$filter=displayName eq '$1'" "\$select=id,appId,tags" \
		--query "value[].[contains(tags || \`[]\`, '$marker') && 'ours' || 'theirs', appId, id]" --output tsv) ||
		refused "look up the application \"$1\""
	# shellcheck disable=SC2086
	set -- "$1" $found
	case $found in *theirs*)
		stop 2 "an application \"$1\" exists that this script did not make: it is left alone" "choose other names with --name"
		;;
	esac
	if [ $# -gt 4 ]; then stop 2 "several applications are called \"$1\"" "delete the ones that are not in use, or choose other names with --name"; fi
	if [ $# -eq 4 ]; then found_app=$3 found_id=$4; fi
}

# ---- converging: wants collects what should be true of an object, converge makes it true

labels='' tests=''
forget() { labels='' tests=''; }
# wants LABEL QUERY: the JMESPath query answers true where the object is as it should be.
wants() {
	labels="$labels$1
"
	tests="$tests${tests:+, }$2"
}

# converge WHAT PATH BODY compares the object with what is wanted; BODY is the query that makes the whole request body
# from the object itself, so that what others added is kept.
converge() {
	answer=$(rest GET "$2" --query "[$tests]" --output tsv) || refused "read the $1"
	missing=$(printf '%s' "$labels" | while IFS= read -r label; do
		IFS= read -r ok <&3 || ok=''
		[ "$ok" = true ] || printf '%s\n' "$label"
	done 3<<ANSWERS
$answer
ANSWERS
	)
	if [ -z "$missing" ]; then
		say "unchanged: $1"
		return
	fi
	report "$1" "$missing" || return 0
	body=$(rest GET "$2" --query "$3" --output json) || refused "read the $1"
	rest PATCH "$2" --body "$body" >/dev/null || refused "change the $1"
}

# report WHAT LINES tells what differs, and answers whether it is to be written.
report() {
	case $action/$dry_run in
	check/*) verb='differs' ;;
	*/yes) verb='would set' ;;
	*) verb='set' ;;
	esac
	while IFS= read -r line; do
		differences=$((differences + 1))
		say "$verb: $1: $line"
	done <<LINES
$2
LINES
	if [ "$verb" != set ]; then return 1; fi
	changes=$((changes + 1))
}

# ensure_app NAME finds or creates an application, empty but for its mark, and sets found_app and found_id.
ensure_app() {
	find_app "$1"
	if [ -n "$found_app" ]; then return; fi
	report "application \"$1\"" "it is registered" || return 0
	created=$(rest POST applications --body "{\"displayName\":\"$1\",\"signInAudience\":\"$audience\",\"tags\":[\"$marker\"]}" \
		--query '[appId, id]' --output tsv) || refused "register the application \"$1\""
	found_app=${created%%[!0-9A-Fa-f-]*}
	found_id=${created##*[!0-9A-Fa-f-]}
}

# ensure_sp WHAT APPID sets found_sp, the service principal's object id.
ensure_sp() {
	found_sp=$(rest GET servicePrincipals --url-parameters "\$filter=appId eq '$2'" "\$select=id" --query 'value[].id' --output tsv) ||
		refused "look up the service principal of the $1"
	if [ -n "$found_sp" ]; then return; fi
	report "$1" "it has a service principal" || return 0
	found_sp=$(rest POST servicePrincipals --body "{\"appId\":\"$2\",\"tags\":[\"$enterprise\"]}" --query id --output tsv) ||
		refused "create the service principal of the $1"
}

# ---- the API

# identifier KIND VALUE prints a GUID that is always the same for a scope or role; it need be unique in its
# application only.
identifier() {
	printf '%08x-fa57-8000-8000-0000%08x' "$(printf '%s %s' "$1" "$2" | cksum | cut -d' ' -f1)" "$(printf '%s %s' "$2" "$1" | cksum | cut -d' ' -f1)"
}

# item LIST VALUE DEFAULT is a query for one scope or role: as it is if it exists, else the default; always enabled.
item() { printf "merge((%s[?value=='%s'] | [0]) || \`%s\`, \`{\"isEnabled\":true}\`)" "$1" "$2" "$3"; }

converge_api() {
	what="application \"$api_name\"" uri="api://$api"
	forget
	wants "people of ${audience} may sign in" "signInAudience == '$audience'"
	wants "access tokens of version 2" "api.requestedAccessTokenVersion == \`2\`"
	wants "App ID URI $uri" "contains(identifierUris, '$uri')"
	wants "optional claim idtyp, for people too" "length((optionalClaims.accessToken || \`[]\`)[?name=='idtyp' && contains(additionalProperties || \`[]\`, 'include_user_token')]) == \`1\`"
	wants "optional claim acct" "length((optionalClaims.accessToken || \`[]\`)[?name=='acct']) == \`1\`"

	list='api.oauth2PermissionScopes' others='' ours=''
	for scope in $scopes; do
		wants "scope $scope" "length(${list}[?value=='$scope' && isEnabled]) == \`1\`"
		others="$others${others:+ && }value != '$scope'"
		ours="$ours${ours:+, }$(item "$list" "$scope" "$(scope_default "$scope")")"
	done
	scope_list="[${list}[?$others], [$ours]][]"

	others='' ours=''
	for role in "$admin_role" "$app_role"; do
		if [ "$role" = "$admin_role" ]; then members='["User","Application"]'; else members='["Application"]'; fi
		wants "role $role" "length(appRoles[?value=='$role' && isEnabled]) == \`1\`"
		others="$others${others:+ && }value != '$role'"
		ours="$ours${ours:+, }$(item appRoles "$role" "$(role_default "$role" "$members")")"
	done

	claims='[{"name":"idtyp","essential":false,"additionalProperties":["include_user_token"]},{"name":"acct","essential":false}]'
	converge "$what" "applications/$api_id" "{
		signInAudience: '$audience',
		identifierUris: [identifierUris[?@ != '$uri'], ['$uri']][],
		api: merge(api, {requestedAccessTokenVersion: \`2\`, oauth2PermissionScopes: $scope_list}),
		appRoles: [appRoles[?$others], [$ours]][],
		optionalClaims: merge(optionalClaims || \`{}\`, {accessToken: [(optionalClaims.accessToken || \`[]\`)[?name != 'idtyp' && name != 'acct'], \`$claims\`][]})
	}"
}

scope_default() {
	printf '{"id":"%s","value":"%s","type":"User","adminConsentDisplayName":"%s","adminConsentDescription":"Lets the program call tools with the scope %s for the person who is signed in.","userConsentDisplayName":"%s","userConsentDescription":"Lets the program call tools with the scope %s for you."}' \
		"$(identifier scope "$1")" "$1" "Call tools: $1" "$1" "Call tools: $1" "$1"
}

role_default() {
	printf '{"id":"%s","value":"%s","displayName":"%s","description":"A program with the role %s may call every tool in its own name.","allowedMemberTypes":%s}' \
		"$(identifier role "$1")" "$1" "$1" "$1" "$2"
}

# ---- the public client

converge_client() {
	what="application \"$client_name\""
	forget
	wants "people of ${audience} may sign in" "signInAudience == '$audience'"
	wants "public client flows (device flow) are allowed" "isFallbackPublicClient == \`true\`"
	others='' ours=''
	for uri in $redirects; do
		wants "redirect URI $uri" "contains(publicClient.redirectUris, '$uri')"
		others="$others${others:+ && }@ != '$uri'"
		ours="$ours${ours:+, }'$uri'"
	done
	redirect_list="[publicClient.redirectUris[?$others], [$ours]][]"

	permissions "$api" "$scope_ids"
	api_access=$access
	permissions "$graph_app" "openid:$openid_id profile:$profile_id offline_access:$offline_access_id"
	converge "$what" "applications/$client_id" "{
		signInAudience: '$audience',
		isFallbackPublicClient: \`true\`,
		publicClient: {redirectUris: $redirect_list},
		requiredResourceAccess: [requiredResourceAccess[?resourceAppId != '$api' && resourceAppId != '$graph_app'], [$api_access, $access]][]
	}"
}

# permissions APPID "NAME:ID …" wants the client to ask for each, and sets access to the query of the entry.
permissions() {
	asked="(requiredResourceAccess[?resourceAppId=='$1'].resourceAccess[] || \`[]\`)" others='' ours=''
	for permission in $2; do
		id=${permission##*:}
		wants "permission ${permission%:*}" "length(${asked}[?id=='$id' && type=='Scope']) == \`1\`"
		others="$others${others:+ && }id != '$id'"
		ours="$ours${ours:+, }{id: '$id', type: 'Scope'}"
	done
	access="{resourceAppId: '$1', resourceAccess: [${asked}[?$others], [$ours]][]}"
}

# read_scope_ids sets scope_ids to "NAME:ID …": a scope that somebody made by hand keeps its id.
read_scope_ids() {
	scope_ids='' ours=''
	for scope in $scopes; do ours="$ours${ours:+, }api.oauth2PermissionScopes[?value=='$scope'].id | [0]"; done
	answer=$(rest GET "applications/$api_id" --query "[$ours]" --output tsv) || refused "read the scopes of \"$api_name\""
	# shellcheck disable=SC2086
	set -- $answer
	for scope in $scopes; do
		id=$1 && shift
		if [ "$id" = None ]; then id=$(identifier scope "$scope"); fi # apply adds it under this id
		scope_ids="$scope_ids $scope:$id"
	done
}

# ---- consent for everybody in the tenant

# ensure_grant WHAT RESOURCE_SP "SCOPE …" lets the client have the scopes without asking each person.
ensure_grant() {
	if [ "$consent_missing" = yes ]; then return; fi
	answer=$(rest GET oauth2PermissionGrants --url-parameters "\$filter=clientId eq '$client_sp'" \
		--query "value[?consentType=='AllPrincipals' && resourceId=='$2'].join(' ', [id, scope || ''])" --output tsv) || refused "read the consent for $1"
	grant=${answer%% *} held=" ${answer#* } " lacking=''
	for scope in $3; do
		case $held in *" $scope "*) ;; *) lacking="$lacking $scope" ;; esac
	done
	if [ -z "$lacking" ]; then
		say "unchanged: consent to $1"
		return
	fi
	if [ "$consent" = no ]; then
		say "left out: consent to $1:$lacking"
		return
	fi
	# shellcheck disable=SC2086
	report "consent to $1" "$(printf '%s\n' $lacking)" || return 0
	if [ -z "$answer" ]; then
		set -- POST oauth2PermissionGrants "{\"clientId\":\"$client_sp\",\"consentType\":\"AllPrincipals\",\"resourceId\":\"$2\",\"scope\":\"$3\"}" "$1"
	else
		# shellcheck disable=SC2086
		union=$(printf ' %s' $held $lacking)
		set -- PATCH "oauth2PermissionGrants/$grant" "{\"scope\":\"${union# }\"}" "$1"
	fi
	if rest "$1" "$2" --body "$3" >/dev/null; then return; fi
	if ! denied; then refused "consent to $4"; fi
	consent_missing=yes changes=$((changes - 1))
	say "refused: consent to $4: only an administrator may give it for everybody"
}

# ---- the three actions

apply() {
	ensure_app "$api_name"
	api=$found_app api_id=$found_id
	ensure_app "$client_name"
	client=$found_app client_id=$found_id
	if [ -n "$api" ]; then
		converge_api
		ensure_sp "application \"$api_name\"" "$api"
		api_sp=$found_sp
	fi
	if [ -n "$api" ] && [ -n "$client" ]; then
		read_scope_ids
		converge_client
		ensure_sp "application \"$client_name\"" "$client"
		client_sp=$found_sp
		consent_for_all
	fi
	conclude
}

consent_for_all() {
	if [ -z "$client_sp" ] || [ -z "$api_sp" ]; then return; fi
	ensure_sp "Microsoft Graph" "$graph_app"
	ensure_grant "the API" "$api_sp" "$scopes"
	ensure_grant "Microsoft Graph" "$found_sp" "openid profile offline_access"
}

conclude() {
	if [ "$action" = check ]; then
		if [ $differences -gt 0 ]; then stop 5 "$differences differences" 'run "setup.sh apply" with the same options'; fi
		say "nothing differs"
	elif [ "$dry_run" = yes ]; then
		say "nothing was changed: this was a dry run"
	elif [ $changes -eq 0 ]; then
		say "nothing changed"
	fi
	if [ -n "$api" ] && [ -n "$client" ]; then settings; fi
	if [ "$consent_missing" = yes ]; then
		stop 4 "everything is registered; consent is missing" "ask an administrator to open $login/$tenant/adminconsent?client_id=$client"
	fi
}

# settings prints what the server is to be told, by the names of docs/reference/settings.md.
settings() {
	first=${scopes# } first=${first%% *}
	printf 'FASTMCP_AUTH_PROVIDER_KIND=entra\n'
	if [ "$cloud_setting" != public ]; then printf 'FASTMCP_AUTH_PROVIDER_CLOUD=%s\n' "$cloud_setting"; fi
	if [ "$audience" = AzureADMyOrg ]; then
		printf 'FASTMCP_AUTH_PROVIDER_TENANT=%s\n' "$tenant"
	else
		printf '# Add the tenants to let in, with commas.\n'
		printf 'FASTMCP_AUTH_PROVIDER_TENANT=organizations\nFASTMCP_AUTH_PROVIDER_TENANTS=%s\n' "$tenant"
	fi
	printf 'FASTMCP_AUTH_PROVIDER_AUDIENCE=%s\n' "$api"
	printf 'FASTMCP_AUTH_PROVIDER_CLIENT_ID=%s\n' "$client"
	printf 'FASTMCP_AUTH_PROVIDER_SCOPE_PREFIX=api://%s/\n' "$api"
	if [ "$first" != execute ]; then printf 'FASTMCP_AUTH_SCOPES_EXECUTE=%s\n' "$first"; fi
}

remove() {
	find_app "$client_name"
	client=$found_app client_id=$found_id
	find_app "$api_name"
	api=$found_app api_id=$found_id
	if [ -z "$api$client" ]; then
		say "nothing to remove"
		return
	fi
	if [ -n "$client" ]; then say "to be deleted: application \"$client_name\" ($client)"; fi
	if [ -n "$api" ]; then say "to be deleted: application \"$api_name\" ($api)"; fi
	if [ "$dry_run" = yes ]; then
		say "nothing was changed: this was a dry run"
		return
	fi
	if [ "$assume_yes" = no ]; then
		printf 'Every sign-in to it ends. Type yes to delete: ' >&2
		IFS= read -r reply || reply=''
		if [ "$reply" != yes ]; then stop 3 "nothing was deleted"; fi
	fi
	delete "$client_name" "$client_id"
	delete "$api_name" "$api_id"
	say "Entra ID keeps deleted applications for 30 days: App registrations, Deleted applications"
}

delete() {
	if [ -z "$2" ]; then return; fi
	rest DELETE "applications/$2" >/dev/null || refused "delete the application \"$1\""
	say "deleted: application \"$1\""
}

read_arguments "$@"
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
trap 'exit 3' INT TERM
errors=$scratch/errors
sign_in_state
say "tenant $tenant in $cloud"
case $action in
remove) remove ;;
*) apply ;;
esac
