// Package setup makes what an installation begins with: the settings file, what stands
// before the program and starts it, and the first message.
package setup

import (
	"crypto/rand"
	"math/big"
)

const (
	// tokenLength is the most that the platform's form takes (WeChat: server config).
	tokenLength = 32
	// keyLength is that of every EncodingAESKey.
	keyLength = 43

	lettersAndDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
)

// NewToken makes up a callback token.
func NewToken() (string, error) { return random(tokenLength) }

// NewKey makes up an EncodingAESKey. The platform takes letters and digits alone.
func NewKey() (string, error) { return random(keyLength) }

func random(length int) (string, error) {
	text := make([]byte, length)
	for i := range text {
		n, err := rand.Int(rand.Reader, big.NewInt(int64(len(lettersAndDigits))))
		if err != nil {
			return "", err
		}
		text[i] = lettersAndDigits[n.Int64()]
	}
	return string(text), nil
}
