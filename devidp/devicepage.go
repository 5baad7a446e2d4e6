package devidp

import (
	"net/http"
)

func (s *Server) devicePath() string {
	if s.entra() {
		return s.prefix + "/devicelogin"
	}
	return s.prefix + "/device"
}

// serveDevicePage asks for a user code, and then whether the device that shows it is the person's own (RFC 8628,
// section 5.4: a code can come from somebody else).
func (s *Server) serveDevicePage(w http.ResponseWriter, r *http.Request) {
	form, err := parameters(r)
	if err != nil {
		s.failPage(w, r, err)
		return
	}
	p := page{Title: "Connect a device", Action: s.devicePath()}
	typed := form.Get("user_code")
	if typed == "" {
		s.show(w, http.StatusOK, devicePage, p)
		return
	}
	d, err := s.waiting(typed)
	if err != nil {
		s.show(w, s.explain(r, &p, err), devicePage, p)
		return
	}
	s.showDevice(w, r, d, nil)
}

func (s *Server) showDevice(w http.ResponseWriter, r *http.Request, d *device, problem error) {
	p := s.asks(d.client, d.scopes, d.resources)
	p.Title, p.Action, p.Code = "Connect a device", s.devicePath(), d.userCode
	p.Token = s.formToken(s.browser(w, r), "device", plainCode(d.userCode))
	p.Cards = s.cards(r, d.tenant, d.client, d.scopes, "")
	s.show(w, s.explain(r, &p, problem), devicePage, p)
}

// serveDeviceChoice takes the choice made on the device page.
func (s *Server) serveDeviceChoice(w http.ResponseWriter, r *http.Request) {
	form, err := posted(r)
	if err != nil {
		s.failPage(w, r, err)
		return
	}
	code := form.Get("user_code")
	if !s.ownForm(r, form, "device", plainCode(code)) {
		s.failPage(w, r, refuseForm.of())
		return
	}
	d, err := s.waiting(code)
	if err != nil {
		s.failPage(w, r, err)
		return
	}
	p := page{Title: "Device connected", Heading: "Your device is connected", Lines: []string{"You can close this page; the device goes on by itself."}}
	if form.Get("choice") == "deny" {
		err = s.DenyDevice(code)
		p = page{Title: "Cancelled", Heading: "The device was refused", Lines: []string{"You can close this page."}}
	} else {
		err = s.ApproveDevice(code, form.Get("choice"))
	}
	if err != nil {
		s.showDevice(w, r, d, err)
		return
	}
	if s.faults.deviceFlowBlocked() {
		s.failPage(w, r, refuseBlocked.of())
		return
	}
	s.show(w, http.StatusOK, noticePage, p)
}
