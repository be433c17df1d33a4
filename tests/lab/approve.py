#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The person at the browser: walk through the provider's login and consent pages (stdlib only).

approve.py --ca CA [--login USER] URL [USER_CODE]
  URL = the authorization URL, or the device verification URL (then give USER_CODE unless it is in the URL).
  --deny aborts at the first page.  --print-redirect shows the final loopback redirect instead of calling it.
"""
import argparse, html.parser, http.cookiejar, ssl, sys, urllib.error, urllib.parse, urllib.request

ap = argparse.ArgumentParser()
ap.add_argument('--ca', required=True); ap.add_argument('--login', default='alerts@lab.test')
ap.add_argument('--deny', action='store_true'); ap.add_argument('--print-redirect', action='store_true')
ap.add_argument('-v', action='store_true'); ap.add_argument('url'); ap.add_argument('user_code', nargs='?')
a = ap.parse_args()

class Forms(html.parser.HTMLParser):
    def __init__(self): super().__init__(); self.forms, self.links, self.text, self.skip = [], [], [], 0
    def handle_starttag(self, tag, attrs):
        d = dict(attrs)
        self.skip = tag in ('style', 'script', 'title')
        if tag == 'form': self.forms.append({'action': d.get('action', ''), 'method': (d.get('method') or 'get').lower(), 'fields': {}})
        elif tag in ('input', 'button') and self.forms and d.get('name'):
            if tag == 'button' and d['name'] == 'abort': self.forms[-1]['abort'] = True
            else: self.forms[-1]['fields'][d['name']] = d.get('value') or ''
        elif tag == 'a' and d.get('href'): self.links.append(d['href'])
    def handle_data(self, data):
        if data.strip() and not self.skip: self.text.append(data.strip())

class NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_): return None

ctx = ssl.create_default_context(cafile=a.ca)
op = urllib.request.build_opener(urllib.request.HTTPSHandler(context=ctx), NoRedirect(),
                                 urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()))
origin = urllib.parse.urlsplit(a.url)[:2]

def call(url, data=None):
    if a.v: print('>', url, data, file=sys.stderr)
    body = urllib.parse.urlencode(data).encode() if data is not None else None
    try: r = op.open(urllib.request.Request(url, data=body), timeout=15)
    except urllib.error.HTTPError as e: r = e
    return r.status, r.headers, r.read().decode('utf-8', 'replace')

url, data, aborted = a.url, None, False
for _ in range(20):
    st, hd, body = call(url, data)
    if st in (301, 302, 303, 307):
        url, data = urllib.parse.urljoin(url, hd['Location']), None
        if urllib.parse.urlsplit(url)[:2] != origin:            # back to the application
            print(url)
            if not a.print_redirect:
                r = urllib.request.urlopen(url, timeout=15); print('application answered', r.status)
            sys.exit(0)
        continue
    f = Forms(); f.feed(body)
    form = next((x for x in f.forms if x['method'] == 'post'), None)
    if st >= 400 or form is None or aborted:
        print(st, ' '.join(f.text)[:400]); sys.exit(0 if st < 400 else 1)
    if a.deny and any('abort' in l for l in f.links):
        url, data = urllib.parse.urljoin(url, next(l for l in f.links if 'abort' in l)), None; continue
    data = dict(form['fields'])
    if a.deny and form.get('abort'): data['abort'], aborted = 'yes', True
    if 'login' in data: data['login'], data['password'] = a.login, 'any'
    if 'user_code' in data and not data['user_code'] and a.user_code: data['user_code'] = a.user_code
    url = urllib.parse.urljoin(url, form['action'])
sys.exit('too many pages')
