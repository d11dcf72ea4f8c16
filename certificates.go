package main

// Mozilla's root certificates, for a system that has none: the container image holds
// this program alone. Where the system has certificates, those count.
import _ "golang.org/x/crypto/x509roots/fallback"
