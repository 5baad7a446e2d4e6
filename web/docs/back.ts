// The provider sends the window of the documentation's sign-in back here; this hands what it brought to who opened it.
import 'swagger-ui-dist/oauth2-redirect.js'
