/** gRPC reads the authorities it trusts when it is loaded: this must be imported before it. */
import { certFile } from './loopback-tls.js';

process.env['GRPC_DEFAULT_SSL_ROOTS_FILE_PATH'] = certFile;
