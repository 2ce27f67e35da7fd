// The judge of the manifests that Airlift writes: KubeVirt's own code, called without a cluster.
//
// Reads Kubernetes objects as a stream of YAML documents and prints one verdict per object as a JSON array. Nothing of the verdict is ours:
// the schema is the one that virt-operator installs, unknown fields are found as the API server's strict validation finds them, and
// admission is what virt-api's webhooks do, first setting defaults, then validating. `kubevirt-judge crds` prints, as a JSON array, the CRDs
// that an importer meets.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	extv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	structuralschema "k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/pruning"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/validation"
	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation/field"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	kubevirtv1 "kubevirt.io/api/core/v1"
	"sigs.k8s.io/yaml"

	"kubevirt.io/kubevirt/pkg/defaults"
	netadmitter "kubevirt.io/kubevirt/pkg/network/admitter"
	"kubevirt.io/kubevirt/pkg/testutils"
	"kubevirt.io/kubevirt/pkg/virt-api/webhooks/validating-webhook/admitters"
	virtconfig "kubevirt.io/kubevirt/pkg/virt-config"
	"kubevirt.io/kubevirt/pkg/virt-operator/resource/generate/components"
)

// Verdict names what the API server or KubeVirt would refuse; empty lists mean that the object is accepted.
type Verdict struct {
	Kind          string               `json:"kind"`
	Name          string               `json:"name"`
	Annotations   map[string]string    `json:"annotations"`
	UnknownFields []string             `json:"unknownFields"`
	SchemaErrors  []string             `json:"schemaErrors"`
	MetaErrors    []string             `json:"metaErrors"`
	Causes        []metav1.StatusCause `json:"causes"`
}

type virtualMachineSchema struct {
	structural *structuralschema.Structural
	validator  validation.SchemaValidator
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(arguments []string) error {
	if len(arguments) == 1 && arguments[0] == "crds" {
		return printCRDs()
	}
	crd, err := components.NewVirtualMachineCrd()
	if err != nil {
		return err
	}
	schema, err := schemaOf(crd)
	if err != nil {
		return err
	}
	config, _, _ := testutils.NewFakeClusterConfigUsingKVConfig(&kubevirtv1.KubeVirtConfiguration{})

	verdicts := []Verdict{}
	documents := utilyaml.NewYAMLReader(bufio.NewReader(os.Stdin))
	for {
		document, err := documents.Read()
		if errors.Is(err, io.EOF) {
			return printJSON(verdicts)
		}
		if err != nil {
			return err
		}
		verdict, err := judge(document, schema, config)
		if err != nil {
			return err
		}
		if verdict != nil {
			verdicts = append(verdicts, *verdict)
		}
	}
}

func printCRDs() error {
	crds := []*extv1.CustomResourceDefinition{}
	for _, create := range []func() (*extv1.CustomResourceDefinition, error){
		components.NewKubeVirtCrd,
		components.NewVirtualMachineCrd,
		components.NewVirtualMachineInstanceCrd,
		components.NewVirtualMachineInstanceMigrationCrd,
	} {
		crd, err := create()
		if err != nil {
			return err
		}
		crds = append(crds, crd)
	}
	return printJSON(crds)
}

// judge returns nil for a document that holds nothing but comments.
func judge(document []byte, schema *virtualMachineSchema, config *virtconfig.ClusterConfig) (*Verdict, error) {
	object := map[string]any{}
	// Strict: a key given twice is an error.
	if err := yaml.UnmarshalStrict(document, &object); err != nil {
		return nil, err
	}
	if len(object) == 0 {
		return nil, nil
	}
	verdict := &Verdict{UnknownFields: []string{}, SchemaErrors: []string{}, MetaErrors: []string{}, Causes: []metav1.StatusCause{}}
	verdict.Kind, _ = object["kind"].(string)
	switch verdict.Kind {
	case "VirtualMachine":
		return verdict, judgeVirtualMachine(document, object, schema, config, verdict)
	case "PersistentVolumeClaim":
		return verdict, judgeClaim(document, verdict)
	}
	return nil, fmt.Errorf("no judge for kind %q", verdict.Kind)
}

func judgeVirtualMachine(document []byte, object map[string]any, schema *virtualMachineSchema, config *virtconfig.ClusterConfig, verdict *Verdict) error {
	for _, err := range validation.ValidateCustomResource(nil, object, schema.validator) {
		verdict.SchemaErrors = append(verdict.SchemaErrors, err.Error())
	}
	pruned := runtime.DeepCopyJSON(jsonOf(object))
	verdict.UnknownFields = append(verdict.UnknownFields,
		pruning.PruneWithOptions(pruned, schema.structural, true, structuralschema.UnknownFieldPathOptions{TrackUnknownFieldPaths: true})...)

	// The schema leaves metadata open; decoding strictly into the type does not, but names only the first unknown field.
	if err := yaml.UnmarshalStrict(document, &kubevirtv1.VirtualMachine{}); err != nil && len(verdict.UnknownFields) == 0 {
		verdict.UnknownFields = append(verdict.UnknownFields, err.Error())
	}
	machine := &kubevirtv1.VirtualMachine{}
	if err := yaml.Unmarshal(document, machine); err != nil {
		verdict.SchemaErrors = append(verdict.SchemaErrors, err.Error())
		return nil
	}
	verdict.Name, verdict.Annotations = machine.Name, machine.Annotations
	verdict.MetaErrors = metaErrors(&machine.ObjectMeta)
	if machine.Spec.Template != nil {
		if err := defaults.SetDefaultVirtualMachineInstanceSpec(config, &machine.Spec.Template.Spec); err != nil {
			return err
		}
	}
	spec := field.NewPath("spec")
	if machine.Spec.Template != nil {
		verdict.Causes = append(verdict.Causes, netadmitter.NewValidator(spec, &machine.Spec.Template.Spec, config).ValidateCreation()...)
	}
	causes := admitters.ValidateVirtualMachineSpec(spec, &machine.Spec, config, false)
	verdict.Causes = append(verdict.Causes, causes...)
	return nil
}

func judgeClaim(document []byte, verdict *Verdict) error {
	if err := yaml.UnmarshalStrict(document, &corev1.PersistentVolumeClaim{}); err != nil {
		verdict.UnknownFields = append(verdict.UnknownFields, err.Error())
	}
	claim := &corev1.PersistentVolumeClaim{}
	if err := yaml.Unmarshal(document, claim); err != nil {
		verdict.SchemaErrors = append(verdict.SchemaErrors, err.Error())
		return nil
	}
	verdict.Name, verdict.Annotations = claim.Name, claim.Annotations
	verdict.MetaErrors = metaErrors(&claim.ObjectMeta)
	if request := claim.Spec.Resources.Requests.Storage(); request == nil || request.Sign() <= 0 {
		verdict.SchemaErrors = append(verdict.SchemaErrors, "spec.resources.requests.storage: must be greater than zero")
	}
	return nil
}

func metaErrors(meta *metav1.ObjectMeta) []string {
	withNamespace := meta.DeepCopy()
	if withNamespace.Namespace == "" {
		withNamespace.Namespace = metav1.NamespaceDefault
	}
	texts := []string{}
	for _, err := range apivalidation.ValidateObjectMeta(withNamespace, true, apivalidation.NameIsDNSSubdomain, field.NewPath("metadata")) {
		texts = append(texts, err.Error())
	}
	return texts
}

func schemaOf(crd *extv1.CustomResourceDefinition) (*virtualMachineSchema, error) {
	for _, version := range crd.Spec.Versions {
		if version.Name != "v1" {
			continue
		}
		internal := &apiextensions.CustomResourceValidation{}
		if err := extv1.Convert_v1_CustomResourceValidation_To_apiextensions_CustomResourceValidation(version.Schema, internal, nil); err != nil {
			return nil, err
		}
		structural, err := structuralschema.NewStructural(internal.OpenAPIV3Schema)
		if err != nil {
			return nil, err
		}
		validator, _, err := validation.NewSchemaValidator(internal.OpenAPIV3Schema)
		if err != nil {
			return nil, err
		}
		return &virtualMachineSchema{structural: structural, validator: validator}, nil
	}
	return nil, errors.New("the VirtualMachine CRD has no version v1")
}

// jsonOf turns what YAML gave into the number types that DeepCopyJSON accepts.
func jsonOf(object map[string]any) map[string]any {
	text, err := json.Marshal(object)
	if err != nil {
		panic(err)
	}
	result := map[string]any{}
	if err := utilyaml.Unmarshal(text, &result); err != nil {
		panic(err)
	}
	return result
}

func printJSON(value any) error {
	encoder := json.NewEncoder(os.Stdout)
	encoder.SetIndent("", " ")
	return encoder.Encode(value)
}
