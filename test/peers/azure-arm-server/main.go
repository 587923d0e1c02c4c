// Serves App Service's management API out of Microsoft's generated fake server: their code reads every request into
// their models and writes every reply from them. What is not App Service's (groups, storage, tags) goes on to UPSTREAM.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"regexp"
	"sync"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	azfake "github.com/Azure/azure-sdk-for-go/sdk/azcore/fake"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/appservice/armappservice/v5"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/appservice/armappservice/v5/fake"
)

// The generated server is told which operation it is by the client; here the path says it.
var operations = []struct {
	method string
	path   *regexp.Regexp
	name   string
}{
	{"GET", regexp.MustCompile(`/sites$`), "WebAppsClient.NewListByResourceGroupPager"},
	{"GET", regexp.MustCompile(`/sites/[^/]+$`), "WebAppsClient.Get"},
	{"PUT", regexp.MustCompile(`/sites/[^/]+$`), "WebAppsClient.BeginCreateOrUpdate"},
	{"DELETE", regexp.MustCompile(`/sites/[^/]+$`), "WebAppsClient.Delete"},
	{"POST", regexp.MustCompile(`/config/appsettings/list$`), "WebAppsClient.ListApplicationSettings"},
	{"PUT", regexp.MustCompile(`/config/appsettings$`), "WebAppsClient.UpdateApplicationSettings"},
	{"POST", regexp.MustCompile(`/functions/[^/]+/listkeys$`), "WebAppsClient.ListFunctionKeys"},
	{"POST", regexp.MustCompile(`/syncfunctiontriggers$`), "WebAppsClient.SyncFunctionTriggers"},
	{"GET", regexp.MustCompile(`/serverfarms/[^/]+$`), "PlansClient.Get"},
	{"PUT", regexp.MustCompile(`/serverfarms/[^/]+$`), "PlansClient.BeginCreateOrUpdate"},
}

var tagsPath = regexp.MustCompile(`/sites/([^/]+)/providers/Microsoft\.Resources/tags/default$`)

type world struct {
	mu       sync.Mutex
	sites    map[string]armappservice.Site
	settings map[string]map[string]*string
	plans    map[string]armappservice.Plan
}

func id(group, kind, name string) *string {
	return to.Ptr(fmt.Sprintf("/subscriptions/s/resourceGroups/%s/providers/Microsoft.Web/%s/%s", group, kind, name))
}

func (w *world) factory() *fake.ServerFactory {
	return &fake.ServerFactory{WebAppsServer: w.webApps(), PlansServer: w.appPlans()}
}

func (w *world) appPlans() fake.PlansServer {
	return fake.PlansServer{
		Get: func(_ context.Context, _, name string, _ *armappservice.PlansClientGetOptions) (resp azfake.Responder[armappservice.PlansClientGetResponse], fail azfake.ErrorResponder) {
			if plan, there := w.plans[name]; there {
				resp.SetResponse(http.StatusOK, armappservice.PlansClientGetResponse{Plan: plan}, nil)
			} else {
				fail.SetResponseError(http.StatusNotFound, "ResourceNotFound")
			}
			return
		},
		BeginCreateOrUpdate: func(_ context.Context, group, name string, plan armappservice.Plan, _ *armappservice.PlansClientBeginCreateOrUpdateOptions) (resp azfake.PollerResponder[armappservice.PlansClientCreateOrUpdateResponse], fail azfake.ErrorResponder) {
			plan.ID, plan.Name = id(group, "serverfarms", name), &name
			w.plans[name] = plan
			resp.SetTerminalResponse(http.StatusOK, armappservice.PlansClientCreateOrUpdateResponse{Plan: plan}, nil)
			return
		},
	}
}

func (w *world) webApps() fake.WebAppsServer {
	return fake.WebAppsServer{
		Get: func(_ context.Context, _, name string, _ *armappservice.WebAppsClientGetOptions) (resp azfake.Responder[armappservice.WebAppsClientGetResponse], fail azfake.ErrorResponder) {
			if site, there := w.sites[name]; there {
				resp.SetResponse(http.StatusOK, armappservice.WebAppsClientGetResponse{Site: site}, nil)
			} else {
				fail.SetResponseError(http.StatusNotFound, "ResourceNotFound")
			}
			return
		},
		BeginCreateOrUpdate: func(_ context.Context, group, name string, site armappservice.Site, _ *armappservice.WebAppsClientBeginCreateOrUpdateOptions) (resp azfake.PollerResponder[armappservice.WebAppsClientCreateOrUpdateResponse], fail azfake.ErrorResponder) {
			if site.Properties == nil || site.Properties.ServerFarmID == nil {
				fail.SetResponseError(http.StatusBadRequest, "BadRequest")
				return
			}
			if _, there := w.settings[name]; !there {
				given := map[string]*string{}
				if site.Properties.SiteConfig != nil {
					for _, setting := range site.Properties.SiteConfig.AppSettings {
						given[*setting.Name] = setting.Value
					}
				}
				w.settings[name] = given
			}
			site.ID, site.Name = id(group, "sites", name), &name
			properties := site.Properties
			properties.SiteConfig = nil
			properties.State = to.Ptr("Running")
			properties.AvailabilityState = to.Ptr(armappservice.SiteAvailabilityStateNormal)
			properties.DefaultHostName = to.Ptr(os.Getenv("APP_HOST"))
			properties.EnabledHostNames = []*string{to.Ptr(os.Getenv("APP_HOST")), to.Ptr(os.Getenv("SCM_HOST"))}
			properties.LastModifiedTimeUTC = to.Ptr(time.Now().UTC())
			w.sites[name] = site
			resp.SetTerminalResponse(http.StatusOK, armappservice.WebAppsClientCreateOrUpdateResponse{Site: site}, nil)
			return
		},
		Delete: func(_ context.Context, _, name string, options *armappservice.WebAppsClientDeleteOptions) (resp azfake.Responder[armappservice.WebAppsClientDeleteResponse], fail azfake.ErrorResponder) {
			if _, there := w.sites[name]; !there {
				fail.SetResponseError(http.StatusNotFound, "ResourceNotFound")
				return
			}
			if options == nil || options.DeleteEmptyServerFarm == nil || !*options.DeleteEmptyServerFarm {
				fail.SetResponseError(http.StatusBadRequest, "PlanWouldStay")
				return
			}
			delete(w.sites, name)
			delete(w.settings, name)
			resp.SetResponse(http.StatusOK, armappservice.WebAppsClientDeleteResponse{}, nil)
			return
		},
		NewListByResourceGroupPager: func(_ string, _ *armappservice.WebAppsClientListByResourceGroupOptions) (resp azfake.PagerResponder[armappservice.WebAppsClientListByResourceGroupResponse]) {
			page := armappservice.WebAppsClientListByResourceGroupResponse{}
			for _, site := range w.sites {
				page.Value = append(page.Value, &site)
			}
			resp.AddPage(http.StatusOK, page, nil)
			return
		},
		ListApplicationSettings: func(_ context.Context, _, name string, _ *armappservice.WebAppsClientListApplicationSettingsOptions) (resp azfake.Responder[armappservice.WebAppsClientListApplicationSettingsResponse], fail azfake.ErrorResponder) {
			settings := armappservice.StringDictionary{Properties: w.settings[name]}
			resp.SetResponse(http.StatusOK, armappservice.WebAppsClientListApplicationSettingsResponse{StringDictionary: settings}, nil)
			return
		},
		UpdateApplicationSettings: func(_ context.Context, _, name string, settings armappservice.StringDictionary, _ *armappservice.WebAppsClientUpdateApplicationSettingsOptions) (resp azfake.Responder[armappservice.WebAppsClientUpdateApplicationSettingsResponse], fail azfake.ErrorResponder) {
			w.settings[name] = settings.Properties
			resp.SetResponse(http.StatusOK, armappservice.WebAppsClientUpdateApplicationSettingsResponse{StringDictionary: settings}, nil)
			return
		},
		ListFunctionKeys: func(_ context.Context, _, _, _ string, _ *armappservice.WebAppsClientListFunctionKeysOptions) (resp azfake.Responder[armappservice.WebAppsClientListFunctionKeysResponse], fail azfake.ErrorResponder) {
			keys := armappservice.StringDictionary{Properties: map[string]*string{"default": to.Ptr(os.Getenv("FUNCTION_KEY"))}}
			resp.SetResponse(http.StatusOK, armappservice.WebAppsClientListFunctionKeysResponse{StringDictionary: keys}, nil)
			return
		},
		SyncFunctionTriggers: func(_ context.Context, _, _ string, _ *armappservice.WebAppsClientSyncFunctionTriggersOptions) (resp azfake.Responder[armappservice.WebAppsClientSyncFunctionTriggersResponse], fail azfake.ErrorResponder) {
			resp.SetResponse(http.StatusNoContent, armappservice.WebAppsClientSyncFunctionTriggersResponse{}, nil)
			return
		},
	}
}

// The tags' own interface is no part of App Service's API: four lines of it, by hand.
func (w *world) mergeTags(name string, body io.Reader) error {
	var change struct {
		Properties struct{ Tags map[string]*string }
	}
	if err := json.NewDecoder(body).Decode(&change); err != nil {
		return err
	}
	for key, value := range change.Properties.Tags {
		w.sites[name].Tags[key] = value
	}
	return nil
}

func (w *world) serve(transport *fake.ServerFactoryTransport, upstream http.Handler) http.HandlerFunc {
	return func(out http.ResponseWriter, in *http.Request) {
		w.mu.Lock()
		defer w.mu.Unlock()
		log.Printf("%s %s", in.Method, in.URL.Path)
		if named := tagsPath.FindStringSubmatch(in.URL.Path); named != nil {
			if err := w.mergeTags(named[1], in.Body); err != nil {
				http.Error(out, err.Error(), http.StatusBadRequest)
			}
			return
		}
		for _, operation := range operations {
			if operation.method != in.Method || !operation.path.MatchString(in.URL.Path) {
				continue
			}
			body, _ := io.ReadAll(in.Body)
			named := context.WithValue(context.Background(), runtime.CtxAPINameKey{}, operation.name)
			request, _ := http.NewRequestWithContext(named, in.Method, "https://"+in.Host+in.URL.RequestURI(), bytes.NewReader(body))
			request.Header = in.Header.Clone()
			reply, err := transport.Do(request)
			var refused *azcore.ResponseError
			switch {
			case errors.As(err, &refused):
				out.Header().Set("content-type", "application/json")
				out.WriteHeader(refused.StatusCode)
				fmt.Fprintf(out, `{"error":{"code":%q,"message":"The server of Microsoft’s SDK refuses."}}`, refused.ErrorCode)
			case err != nil:
				// A request that Microsoft's models do not take.
				out.Header().Set("content-type", "application/json")
				out.WriteHeader(http.StatusBadRequest)
				fmt.Fprintf(out, `{"error":{"code":"NotInTheModel","message":%q}}`, err.Error())
			default:
				for name, values := range reply.Header {
					out.Header()[name] = values
				}
				out.WriteHeader(reply.StatusCode)
				if reply.Body != nil {
					_, _ = io.Copy(out, reply.Body)
				}
			}
			return
		}
		upstream.ServeHTTP(out, in)
	}
}

func main() {
	target, err := url.Parse(os.Getenv("UPSTREAM"))
	if err != nil {
		log.Fatal(err)
	}
	proxy := &httputil.ReverseProxy{Rewrite: func(request *httputil.ProxyRequest) {
		request.SetURL(target)
		request.Out.Host = "management.azure.com"
	}}
	w := &world{sites: map[string]armappservice.Site{}, settings: map[string]map[string]*string{}, plans: map[string]armappservice.Plan{}}
	listener, err := net.Listen("tcp", "127.0.0.1:"+os.Getenv("PORT"))
	if err != nil {
		log.Fatal(err)
	}
	server := &http.Server{Handler: w.serve(fake.NewServerFactoryTransport(w.factory()), proxy), ReadHeaderTimeout: 10 * time.Second}
	log.Fatal(server.ServeTLS(listener, os.Getenv("CERT_FILE"), os.Getenv("KEY_FILE")))
}
