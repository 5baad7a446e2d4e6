package devidp

import _ "embed"

//go:embed style.css
var pageStyle markup

// layout writes what stands between the top and the bottom of a page.
type layout func(s *sheet, p *page)

// on writes p on the page, with what all pages have around it.
func (write layout) on(s *sheet, p *page) {
	s.put(`<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>{} · development only</title>
<style>`, p.Title)
	s.put(pageStyle)
	s.put(`</style>
</head>
<body>
<div class="banner" role="note"><strong>Development only.</strong> No password is asked. Never use this provider for anything real.</div>
<main>
`)
	write(s, p)
	s.put("</main>\n</body>\n</html>\n")
}

// signinPage asks who to be.
func signinPage(s *sheet, p *page) {
	s.put(`<h1>Who are you?</h1>
<p class="dim">Choose a development user. Choosing also lets the application act for this user.</p>
`)
	s.putIf(`<div class="panel bad" role="alert"><strong>{}</strong><br>Choose another user, or cancel and return to the application.</div>
`, p.Problem)
	s.asks(p)
	s.put(`<form method="post" action="{}">
<input type="hidden" name="request" value="{}">
<input type="hidden" name="csrf" value="{}">
`, p.Action, p.Request, p.Token)
	s.users(p)
	s.put("</form>\n")
}

// devicePage asks for a code, and with one, who to be.
func devicePage(s *sheet, p *page) {
	if p.Code == "" {
		s.put(`<h1>Connect a device</h1>
<p class="dim">Type the code that your device or command line shows.</p>
`)
		s.problem(p)
		s.put(`<form method="get" action="{}" class="panel">
<label for="user_code">Code</label>
<input id="user_code" name="user_code" autocomplete="off" autocapitalize="characters" spellcheck="false" maxlength="20" required autofocus>
<button class="main">Continue</button>
</form>
<p class="dim small">Only type a code that you asked for yourself. Nobody who helps you needs you to type theirs.</p>
`, p.Action)
		return
	}
	s.put(`<h1>Is this the code on your device?</h1>
<p class="code">{}</p>
<p><strong>Go on only if you started this yourself, on a device in front of you, and it shows this very code.</strong>
<span class="dim">If somebody sent you the code or the link, cancel: they would act in your name.</span></p>
`, p.Code)
	s.putIf(`<div class="panel bad" role="alert"><strong>{}</strong><br>Choose another user, or cancel.</div>
`, p.Problem)
	s.asks(p)
	s.put(`<h2>Who are you?</h2>
<form method="post" action="{}">
<input type="hidden" name="user_code" value="{}">
<input type="hidden" name="csrf" value="{}">
`, p.Action, p.Code, p.Token)
	s.users(p)
	s.put("</form>\n")
}

// noticePage says how something went, and asks nothing.
func noticePage(s *sheet, p *page) {
	s.put("<h1>{}</h1>\n", p.Heading)
	s.problem(p)
	for _, line := range p.Lines {
		s.put("<p>{}</p>\n", line)
	}
	if len(p.Details) > 0 {
		s.details(p.Details)
	}
}

// signoutPage asks whether to sign out.
func signoutPage(s *sheet, p *page) {
	s.put("<h1>Sign out?</h1>\n")
	if p.Client == "" {
		s.put(`<p class="dim">You are about to sign out of the development provider.</p>
`)
	}
	s.putIf(`<p class="dim">{} asks you to sign out.</p>
`, p.Client)
	s.putIf("<p>Afterwards you return to <strong>{}</strong>.</p>\n", p.Redirect)
	s.put(`<form method="post" action="{}">
<input type="hidden" name="request" value="{}">
<input type="hidden" name="csrf" value="{}">
<button name="choice" value="yes" class="main" autofocus>Sign out</button>
<button name="choice" value="no" class="quiet">Stay signed in</button>
</form>
`, p.Action, p.Request, p.Token)
}

// homePage says what stands where.
func homePage(s *sheet, p *page) {
	s.put(`<h1>Development identity provider</h1>
<p class="dim">It behaves {}. It forgets everything when it ends.</p>
<h2>Addresses</h2>
`, p.Heading)
	s.details(p.Details)
	s.put("<h2>People</h2>\n<div class=\"panel\"><table>")
	for _, k := range p.Cards {
		s.put(`<tr><td><strong>{}</strong></td><td>{}</td><td class="dim small">{}</td></tr>`, k.ID, k.Note, k.Gets)
	}
	s.put("</table></div>\n<h2>Applications</h2>\n<div class=\"panel small\"><table>")
	for _, c := range p.Clients {
		s.put(`<tr><td><code>{}</code></td><td class="dim">{}</td></tr>`, c.Name, c.Value)
	}
	s.put(`</table></div>
<p><a href="{}">Connect a device</a></p>
`, p.Action)
}

// problem says what went wrong, if something did.
func (s *sheet) problem(p *page) {
	s.putIf(`<div class="panel bad" role="alert"><strong>{}</strong></div>
`, p.Problem)
}

func (s *sheet) details(list []detail) {
	s.put(`<dl class="panel small">`)
	for _, d := range list {
		s.put("<dt>{}</dt><dd>{}</dd>", d.Name, d.Value)
	}
	s.put("</dl>\n")
}

// asks says which application asks for what.
func (s *sheet) asks(p *page) {
	s.put(`<dl class="panel">
<dt>Application</dt><dd><strong>{}</strong>`, p.Client)
	if p.Client != p.ClientID {
		s.put(`<br><span class="dim small">{}</span>`, p.ClientID)
	}
	s.put("</dd>\n")
	s.putIf("<dt>Beware</dt><dd>{}</dd>\n", p.Vouch)
	s.put("<dt>Asks for</dt><dd>")
	for _, scope := range p.Scopes {
		s.put("<code>{}</code> ", scope)
	}
	if len(p.Scopes) == 0 {
		s.put("nothing")
	}
	s.put("</dd>\n")
	for _, resource := range p.Resources {
		s.put("<dt>For</dt><dd>{}</dd>\n", resource)
	}
	if p.Redirect != "" {
		s.put("<dt>Returns to</dt><dd>{}", p.Redirect)
		if p.Local {
			s.put(` <span class="dim small">(a program on this computer)</span>`)
		}
		s.put("</dd>\n")
	}
	s.put("</dl>\n")
}

// users are the cards to choose from.
func (s *sheet) users(p *page) {
	s.put(`<ul class="users">
`)
	for _, k := range p.Cards {
		s.put(`<li><button name="choice" value="{}" class="user"`, k.ID)
		if k.First {
			s.put(" autofocus")
		}
		s.put(`>
<span class="face" aria-hidden="true">{}</span>
<span class="who">{} <span class="dim">{}</span>`, k.Initial, k.ID, k.Name)
		if k.Current {
			s.put(`<span class="tag">signed in</span>`)
		}
		s.put(`</span>
<span class="dim small">{} · {}</span>
</button></li>
`, k.Note, k.Gets)
	}
	s.put(`</ul>
<button name="choice" value="deny" class="quiet">Cancel</button>
`)
}
