# Small vision transformers as PyTorch 1.13 writes them, in the forms that are in use: python3 forms.py ../forms.zip. Weights are random.
# The names of those that must be refused begin with X_.
import torch,torch.nn as nn,torch.nn.functional as F,math,sys
torch.manual_seed(0)
D,H,L,IMG,P=12,3,3,16,4
N=(IMG//P)**2
class Attn(nn.Module):
    def __init__(s,kind='fused',bias=None):
        super().__init__(); s.kind=kind
        if kind in('fused','chunk','einsum','split3'): s.qkv=nn.Linear(D,3*D)
        else: s.q=nn.Linear(D,D); s.k=nn.Linear(D,D); s.v=nn.Linear(D,D)
        s.proj=nn.Linear(D,D); s.scale=(D//H)**-.5
        if bias=='rel': s.rel=nn.Parameter(torch.randn(1,H,N+1,N+1))
        s.bias=bias
    def forward(s,x):
        B,n,C=x.shape
        if s.kind=='fused':
            q,k,v=s.qkv(x).reshape(B,n,3,H,C//H).permute(2,0,3,1,4).unbind(0)
        elif s.kind=='chunk':
            q,k,v=[t.view(B,n,H,C//H).transpose(1,2) for t in s.qkv(x).chunk(3,dim=-1)]
        elif s.kind=='split3':
            t=s.qkv(x).reshape(B,n,3,H,C//H).permute(2,0,3,1,4); q,k,v=t[0],t[1],t[2]
        elif s.kind=='einsum':
            q,k,v=[t.view(B,n,H,C//H).transpose(1,2) for t in s.qkv(x).chunk(3,dim=-1)]
            d=torch.einsum('bhid,bhjd->bhij',q,k)*s.scale
            a=d.softmax(-1); o=torch.einsum('bhij,bhjd->bhid',a,v)
            return s.proj(o.transpose(1,2).reshape(B,n,C))
        else:
            f=lambda t:t.view(t.size()[:-1]+(H,C//H)).permute(0,2,1,3)
            q,k,v=f(s.q(x)),f(s.k(x)),f(s.v(x))
        if s.kind=='hf': a=(q@k.transpose(-1,-2))/math.sqrt(C//H)
        else: a=(q*s.scale)@k.transpose(-2,-1)
        if s.bias=='rel': a=a+s.rel
        a=a.softmax(-1)
        o=(a@v).permute(0,2,1,3).contiguous()
        if s.kind=='hf': o=o.view(o.size()[:-2]+(C,))
        else: o=o.reshape(B,n,C)
        return s.proj(o)
class RawLN(nn.Module):
    def __init__(s): super().__init__(); s.w=nn.Parameter(torch.rand(D)); s.b=nn.Parameter(torch.rand(D))
    def forward(s,x):
        m=x.mean(-1,keepdim=True); v=((x-m)**2).mean(-1,keepdim=True)
        return (x-m)/torch.sqrt(v+1e-6)*s.w+s.b
class Block(nn.Module):
    def __init__(s,kind,act,ls=False,post=False,par=False,bias=None,raw=False):
        super().__init__(); LN=RawLN if raw else (lambda:nn.LayerNorm(D,eps=1e-6))
        s.n1=LN(); s.n2=LN(); s.a=Attn(kind,bias); s.f1=nn.Linear(D,2*D); s.f2=nn.Linear(2*D,D); s.act=act; s.post=post; s.par=par
        s.g1=nn.Parameter(torch.rand(D)) if ls else None; s.g2=nn.Parameter(torch.rand(D)) if ls else None
    def mlp(s,x): return s.f2(s.act(s.f1(x)))
    def forward(s,x):
        if s.par: return x+s.a(s.n1(x))+s.mlp(s.n2(x))
        if s.post: x=s.n1(x+s.a(x)); return s.n2(x+s.mlp(x))
        y=s.a(s.n1(x)); y=y*s.g1 if s.g1 is not None else y
        x=x+y
        y=s.mlp(s.n2(x)); y=y*s.g2 if s.g2 is not None else y
        return x+y
class ViT(nn.Module):
    def __init__(s,kind='fused',act=F.gelu,head='cls',tokens=1,noposcls=False,**kw):
        super().__init__(); s.pe=nn.Conv2d(3,D,P,P); s.cls=nn.ParameterList([nn.Parameter(torch.randn(1,1,D)) for _ in range(tokens)])
        s.noposcls=noposcls
        s.pos=nn.Parameter(torch.randn(1,N+(0 if noposcls else tokens),D)); s.bl=nn.ModuleList([Block(kind,act,**kw) for _ in range(L)]); s.norm=nn.LayerNorm(D); s.h=nn.Linear(D,7); s.h2=nn.Linear(D,7); s.head=head; s.t=tokens
        s.ap=nn.Parameter(torch.randn(1,1,D)); s.apk=nn.Linear(D,D); s.apv=nn.Linear(D,D)
    def forward(s,x):
        B=x.shape[0]; x=s.pe(x).flatten(2).transpose(1,2)
        if s.noposcls: x=x+s.pos
        if s.t: x=torch.cat([c.expand(B,-1,-1) for c in s.cls]+[x],1)
        if not s.noposcls: x=x+s.pos
        for b in s.bl: x=b(x)
        if s.head=='meannorm': return s.h(s.norm(x[:,s.t:].mean(1)))
        x=s.norm(x)
        if s.head=='cls': return s.h(x[:,0])
        if s.head=='clsslice': return s.h(x[:,0:1].squeeze(1))
        if s.head=='distil': return (s.h(x[:,0])+s.h2(x[:,1]))/2
        if s.head=='mean': return s.h(x[:,s.t:].mean(1))
        if s.head=='meanall': return s.h(x.mean(1))
        if s.head=='sumdiv': return s.h(x[:,s.t:].sum(1)/(x.shape[1]-s.t))
        if s.head=='aap': return s.h(F.adaptive_avg_pool1d(x.transpose(1,2),1).flatten(1))
        if s.head=='clsmean': return s.h(torch.cat([x[:,0],x[:,1:].mean(1)],-1)[:,:D]+torch.cat([x[:,0],x[:,1:].mean(1)],-1)[:,D:])
        if s.head=='max': return s.h(x.max(1)[0])
        if s.head=='hidden': return x
        if s.head=='both': return s.h(x[:,0]),x
        if s.head=='attnpool':
            k=s.apk(x); v=s.apv(x); a=(s.ap.expand(B,-1,-1)@k.transpose(1,2)*D**-.5).softmax(-1); return s.h((a@v)[:,0])
        if s.head=='patchtok': return s.h(x[:,5])
        if s.head=='layercat': return s.h(x[:,0])
class TE(nn.Module):
    def __init__(s,norm_first,bf=True):
        super().__init__(); s.pe=nn.Conv2d(3,D,P,P); s.cls=nn.Parameter(torch.randn(1,1,D)); s.pos=nn.Parameter(torch.randn(1,N+1,D)); s.bf=bf
        s.e=nn.TransformerEncoder(nn.TransformerEncoderLayer(D,H,2*D,activation='gelu',batch_first=bf,norm_first=norm_first),L,enable_nested_tensor=False)
        s.h=nn.Linear(D,7)
    def forward(s,x):
        x=s.pe(x).flatten(2).transpose(1,2); x=torch.cat([s.cls.expand(x.shape[0],-1,-1),x],1)+s.pos
        if not s.bf: return s.h(s.e(x.transpose(0,1))[0])
        return s.h(s.e(x)[:,0])
class MHA(nn.Module):
    def __init__(s,nw=False):
        super().__init__(); s.pe=nn.Conv2d(3,D,P,P); s.cls=nn.Parameter(torch.randn(1,1,D)); s.pos=nn.Parameter(torch.randn(1,N+1,D)); s.nw=nw
        s.a=nn.ModuleList([nn.MultiheadAttention(D,H,batch_first=True) for _ in range(L)]); s.n1=nn.ModuleList([nn.LayerNorm(D) for _ in range(L)]); s.n2=nn.ModuleList([nn.LayerNorm(D) for _ in range(L)])
        s.m=nn.ModuleList([nn.Sequential(nn.Linear(D,2*D),nn.GELU(),nn.Linear(2*D,D)) for _ in range(L)]); s.h=nn.Linear(D,7)
    def forward(s,x):
        n=x.shape[0]; x=s.pe(x).reshape(n,D,N).permute(0,2,1); x=torch.cat([s.cls.expand(n,-1,-1),x],1)+s.pos
        for a,n1,n2,m in zip(s.a,s.n1,s.n2,s.m):
            y=n1(x); y,_=a(y,y,y,need_weights=s.nw); x=x+y; x=x+m(n2(x))
        return s.h(x[:,0])
class Swinish(nn.Module):
    def __init__(s):
        super().__init__(); s.pe=nn.Conv2d(3,D,2,2); s.bl=nn.ModuleList([Block('fused',F.gelu) for _ in range(3)]); s.h=nn.Linear(D,7)
    def forward(s,x):
        B=x.shape[0]; x=s.pe(x).permute(0,2,3,1)
        for b in s.bl:
            y=b.n1(x); w=y.view(B,2,4,2,4,D).permute(0,1,3,2,4,5).reshape(-1,16,D); w=b.a(w); y=w.view(B,2,2,4,4,D).permute(0,1,3,2,4,5).reshape(B,8,8,D); x=x+y; x=x+b.mlp(b.n2(x))
        return s.h(x.mean((1,2)))
tanh=lambda x:0.5*x*(1+torch.tanh(math.sqrt(2/math.pi)*(x+0.044715*x**3)))
erf=lambda x:x*0.5*(1.0+torch.erf(x/math.sqrt(2)))
M={
'chunk':ViT('chunk'),'einsum':ViT('einsum'),'hf':ViT('hf'),'tanh':ViT('hf',tanh),
'rawln':ViT('fused',raw=True),'ls':ViT('fused',ls=True),'distil':ViT('fused',head='distil',tokens=2),'reg':ViT('fused',head='cls',tokens=5),'regmean':ViT('fused',head='mean',tokens=4,noposcls=True),
'mean':ViT('fused',head='mean',tokens=0),'meannorm':ViT('fused',head='meannorm'),'meanall':ViT('fused',head='meanall'),'sumdiv':ViT('fused',head='sumdiv'),'aap':ViT('hf',head='aap',tokens=0),'clsmean':ViT('fused',head='clsmean'),'max':ViT('fused',head='max'),
'attnpool':ViT('fused',head='attnpool',tokens=0),'post':ViT('fused',post=True),'te_post':TE(False),'te_seq':TE(True,False),'mha':MHA(),
'X_par':ViT('fused',par=True),'X_rel':ViT('fused',bias='rel'),'X_swin':Swinish(),'X_hidden':ViT('fused',head='hidden'),'X_patch':ViT('fused',head='patchtok'),
}
import io,warnings,zipfile; warnings.filterwarnings('ignore')
with zipfile.ZipFile(sys.argv[1],'w',zipfile.ZIP_DEFLATED) as z:
    for n,m in M.items():
        m.eval(); x=torch.randn(2,3,IMG,IMG); b=io.BytesIO()
        fixed=n in('hf','post'); opset=11 if n in('rawln','chunk') else 14
        with (torch.enable_grad() if n.startswith('te_') else torch.no_grad()):  # without gradients it would call one fused operator
            torch.onnx.export(m,x[:1] if fixed else x,b,opset_version=opset,input_names=['x'],dynamic_axes=None if fixed else {'x':{0:'N'}})
        z.writestr(zipfile.ZipInfo(n+'.onnx'),b.getvalue(),zipfile.ZIP_DEFLATED)
