#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# layers.sh [TOP] - includes go one way only: common <- core <- io <- the daemon's top; common <- client. One library, few files.
. "$(dirname "$0")/lib.sh"
cd "${1:-${top_srcdir:-.}}" || exit 1
lint_seen=0

# What core and common may include of the system: the C language, and nothing that does or knows of anything outside.
pure='assert|ctype|errno|inttypes|limits|stdalign|stdatomic|stdarg|stdbool|stddef|stdint|stdio|stdlib|string|strings|stdnoreturn|sys/types|sys/queue'

# who may include which library: "pattern of the header|files (extended regular expression)"
libraries='
event2/|daemon/io/(loop|reach|tls|watch|smtp_link[a-z_]*|http_server[a-z_]*)\.[ch]
openssl/|daemon/io/(cert|jwt|sasl|seal|tls[a-z_]*|smtp_link[a-z_]*)\.[ch]
curl/|daemon/io/http_client[a-z_]*\.c
sqlite3\.h|daemon/io/store[a-z_]*\.[ch]
microhttpd\.h|daemon/io/http_server[a-z_]*\.[ch]
systemd/|daemon/io/(sd|journal|peer|listen)\.c
libsmartcols\.h|client/writer_table\.c
idn2\.h|common/idn\.c
yajl/|common/json[a-z_]*\.[ch]'

check() { # check FILE
  local file=$1 from line header
  case $file in
  common/*) from=common ;; daemon/core/*) from=core ;; daemon/io/*) from=io ;; daemon/*) from=app ;; client/*) from=client ;;
  *) return ;;
  esac
  while IFS=: read -r line header; do
    case $header in
    \"*) own "$from" "$file:$line" "${header//\"/}" ;;
    \<*) header=${header#<}; system "$from" "$file" "$line" "${header%>}" ;;
    esac
  done < <(sed -n 's/^[[:space:]]*#[[:space:]]*include[[:space:]]*\(["<][^">]*[">]\).*/\1/;t show;b;:show;=;p' "$file" | paste -d: - -)
}

own() { # own FROM WHERE HEADER: our own headers
  local allowed
  case $1 in
  common) allowed='common/' ;; core) allowed='(common|daemon/core)/' ;; io) allowed='(common|daemon/core|daemon/io)/' ;;
  app) allowed='(common|daemon)/' ;; client) allowed='(common|client)/' ;;
  esac
  case $3 in
  common/* | daemon/* | client/*) ;;
  *) bad "$2: write the path from the top: \"$3\""; return ;;
  esac
  [[ $3 =~ ^$allowed ]] || bad "$2: $1 must not use \"$3\""
}

system() { # system FROM FILE LINE HEADER: the system's and the libraries'
  local pattern files
  while IFS='|' read -r pattern files; do
    [ -n "$pattern" ] && [[ $4 =~ ^$pattern ]] || continue
    [[ $2 =~ ^($files)$ ]] || bad "$2:$3: $1 must not use <$4>: only $files may"
    return
  done <<< "$libraries"
  case $1 in
  core) [[ $4 =~ ^($pure)\.h$ ]] || bad "$2:$3: core must not use <$4>" ;;
  common)
    # The base of common may read the time of day and lock its log; no file of it does more.
    [[ $4 =~ ^($pure|time|math)\.h$ ]] || { [ "$4" = pthread.h ] && [[ $2 =~ ^common/log\.c$ ]]; } ||
      bad "$2:$3: common must not use <$4>" ;;
  esac
}

while read -r file; do
  lint_seen=$((lint_seen + 1))
  check "$file"
done < <(find common daemon client -name '*.[ch]' -o -name '*.def' | sort)
lint_end
