package simulator

import (
	"context"
	"crypto/sha512"
	"encoding/base64"
	"errors"
	"net/http"
	"unicode/utf8"
)

// maxScene is how many characters the scene of a QR code has at most (WeChat: QR code docs).
const maxScene = 64

// Scan lets someone scan the account's QR code with a scene, and gives the text of the reply as Say does. Who does not
// follow yet comes to follow by it: the event is subscribe, with qrscene_ before the scene; else it is SCAN, with the
// bare scene (WeChat: QR code docs).
func (s *Simulator) Scan(ctx context.Context, openID, scene string) (string, error) {
	if !plain(openID) {
		return "", errOpenID
	}
	if n := utf8.RuneCountInString(scene); n == 0 || n > maxScene {
		return "", errors.New("a scene has 1 to 64 characters")
	}
	event, key := "SCAN", scene
	if id, known := s.people.id(openID); !known || !s.people.follows(id) {
		event, key = "subscribe", "qrscene_"+scene
		s.people.cameBy(s.people.move(openID, true), scene)
	}
	if id, known := s.people.id(openID); known {
		s.windows.touched(id, s.opts.Now())
	}
	if *s.callback.Load() == "" {
		return "", nil
	}
	fields := "<MsgType><![CDATA[event]]></MsgType><Event><![CDATA[" + event + "]]></Event><EventKey>" + cdata(key) +
		"</EventKey><Ticket><![CDATA[" + ticket(scene) + "]]></Ticket>"
	return s.tell(ctx, s.newPush(openID, fields))
}

// ticket is the ticket of the QR code with a scene: about as long as the platform's, and always the same.
func ticket(scene string) string {
	sum := sha512.Sum512([]byte(scene))
	return "gQH" + base64.StdEncoding.EncodeToString(sum[:])
}

func (s *Simulator) scanCommand(r *http.Request) (any, error) {
	var ask struct{ OpenID, Scene string }
	if err := s.decode(r, &ask); err != nil {
		return nil, err
	}
	reply, err := s.Scan(r.Context(), ask.OpenID, ask.Scene)
	return replied{reply}, err
}

// cameBy keeps the scene of the QR code by which someone came to follow; empty for none.
func (p *people) cameBy(id uint32, scene string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if scene == "" {
		delete(p.scenes, id)
		return
	}
	p.scenes[id] = scene
}

// scene gives the scene by which someone came.
func (p *people) scene(id uint32) string {
	p.mu.RLock()
	defer p.mu.RUnlock()
	return p.scenes[id]
}
