// `mooring authority`: the private authorities of devices with X.509 certificates; and the certificates of a device.
#pragma once

namespace CLI {
class App;
}

namespace mooring::app {

void add_authority_commands(CLI::App& app, int& exit_status);
// bind-certificate and unbind-certificate, below `mooring device`.
void add_device_certificate_commands(CLI::App& device, int& exit_status);

}  // namespace mooring::app
