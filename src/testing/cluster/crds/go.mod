// Not built: names the modules whose files hold the CRDs, and, with go.sum, what they must be.
module airlift.test/crds

go 1.24.0

require (
	github.com/harvester/harvester v1.8.0
	github.com/k8snetworkplumbingwg/network-attachment-definition-client v1.7.7
	kubevirt.io/containerized-data-importer v1.64.0
)
