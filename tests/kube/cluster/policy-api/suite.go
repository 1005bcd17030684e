// Package suite names network-policy-api's conformance suite to this module; it is compiled as it is there.
package suite

import _ "sigs.k8s.io/network-policy-api/conformance"
