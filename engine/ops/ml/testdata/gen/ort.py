"""Writes ../ort.json: models of one operator each, with random inputs and what ONNX Runtime 1.30 (npm package onnxruntime-node) gives for
them. Needs numpy, onnx, and node with that package in ~/.cache/gtk-peers/node_modules:

    python3 ort.py ../ort.json

What it refuses for want of a kernel is printed and left out. Where it contradicts ONNX's definition the operator's comment says so, and there
is no case here: labels of a tree ensemble with votes for both of two classes, LOGISTIC of votes that are all positive or of one target,
base values of targets without votes, the label of a linear SVMClassifier of two classes, PROBIT of two classes.
"""
import onnx, numpy as np, json, subprocess, os, math, tempfile
from onnx import helper as h
TY={np.dtype('float32'):(1,'float32'),np.dtype('float64'):(11,'float64'),np.dtype('int64'):(7,'int64'),np.dtype('int32'):(6,'int32')}
def ty(a): return TY[a.dtype] if a.dtype in TY else (8,'string')
def j(a):
    if a.dtype.kind in 'OU': return [str(x) for x in a.ravel()]
    out=[]
    for x in a.ravel().tolist():
        if isinstance(x,float) and not math.isfinite(x): x='nan' if x!=x else ('inf' if x>0 else '-inf')
        out.append(x)
    return out
class Set:
    def __init__(s): s.cases=[]
    def add(s,name,op,ver,ins,nout,outtypes,**attrs):
        s.cases.append((name,op,ver,ins,nout,outtypes,attrs))
    def run(s):
        os.chdir(tempfile.mkdtemp())
        man=[]
        os.makedirs('m',exist_ok=True)
        for (name,op,ver,ins,nout,ot,attrs) in s.cases:
            n=h.make_node(op,['x%d'%i for i in range(len(ins))],['y%d'%i for i in range(nout)],domain='ai.onnx.ml',**attrs)
            g=h.make_graph([n],'g',[h.make_tensor_value_info('x%d'%i,ty(a)[0],None if False else list(a.shape)) for i,a in enumerate(ins)],[h.make_tensor_value_info('y%d'%i,ot[i],None) for i in range(nout)])
            m=h.make_model(g,opset_imports=[h.make_opsetid('',17),h.make_opsetid('ai.onnx.ml',ver)],ir_version=8)
            p='m/'+name.replace('/','_')+'.onnx'; onnx.save(m,p)
            man.append(dict(name=name,model=p,feeds={'x%d'%i:dict(type=ty(a)[1],dims=list(a.shape),data=j(a)) for i,a in enumerate(ins)}))
        json.dump(man,open('man.json','w'))
        subprocess.check_call(['node',os.path.join(os.path.dirname(os.path.abspath(__file__)),'ort.cjs'),'man.json','res.json'])
        return {r['name']:r for r in json.load(open('res.json'))}
import sys
OUT=os.path.abspath(sys.argv[1])
S=Set(); f=np.float32; rng=np.random.default_rng(7)
def tree(rng,depth,nf,nid=None,mode=None,p=0.85):
    """nodes: list of dict; preorder"""
    nodes=[]
    def go(d):
        i=len(nodes); nodes.append(None)
        if d==0 or rng.random()>p:
            nodes[i]=dict(mode='LEAF',feat=0,val=0.,t=0,f=0,miss=0); return i
        m=mode if isinstance(mode,str) else mode[rng.integers(len(mode))]
        v=float(f(round(float(rng.normal()),1 if m in('BRANCH_EQ','BRANCH_NEQ') else 4)))
        n=dict(mode=m,feat=int(rng.integers(nf)),val=v,miss=int(rng.random()<.4))
        n['t']=go(d-1); n['f']=go(d-1); nodes[i]=n; return i
    go(depth); return nodes
def ens(rng,nt,depth,nf,k,mode='BRANCH_LEQ',votes=1,miss=False,prefix='class',double=False,onlyid=None,pos=False,split=False):
    A={x:[] for x in ('nodes_treeids','nodes_nodeids','nodes_featureids','nodes_modes','nodes_values','nodes_truenodeids','nodes_falsenodeids')}
    M=[]; V={x:[] for x in ('treeids','nodeids','ids','weights')}
    for t in range(nt):
        for i,n in enumerate(tree(rng,depth,nf,mode=mode)):
            A['nodes_treeids'].append(t);A['nodes_nodeids'].append(i);A['nodes_featureids'].append(n['feat']);A['nodes_modes'].append(n['mode']);A['nodes_values'].append(n['val']);A['nodes_truenodeids'].append(n['t']);A['nodes_falsenodeids'].append(n['f']);M.append(n['miss'])
            if n['mode']=='LEAF':
                ids=[onlyid] if onlyid is not None else ([int(x) for x in rng.permutation(k)[:votes]])
                for c in ids:
                    w=float(rng.normal()*.3)
                    V['treeids'].append(t);V['nodeids'].append(i);V['ids'].append(c);V['weights'].append(abs(w) if pos else w)
    if miss: A['nodes_missing_value_tracks_true']=M
    for x in V: A[prefix+'_'+x]=V[x]
    if double:
        for nm in ('nodes_values',prefix+'_weights'):
            v=A.pop(nm); A[nm+'_as_tensor']=h.make_tensor(nm,11,[len(v)],[x+1e-9*rng.normal() for x in v])
    return A
def rows(n,nf,nan=False,dt=f):
    x=rng.normal(size=(n,nf)).round(1 if nan else 3).astype(dt)
    if nan: x[rng.random(x.shape)<.2]=np.nan
    return x
ALL=['BRANCH_LEQ','BRANCH_LT','BRANCH_GTE','BRANCH_GT','BRANCH_EQ','BRANCH_NEQ']
for m in ALL: S.add('reg/'+m,'TreeEnsembleRegressor',1,[rows(9,3,True)],1,[1],n_targets=1,**ens(rng,6,4,3,1,mode=m,prefix='target'))
S.add('reg/modes missing','TreeEnsembleRegressor',3,[rows(40,3,True)],1,[1],n_targets=1,**ens(rng,9,5,3,1,mode=ALL,miss=True,prefix='target'))
for ag in ('SUM','AVERAGE','MIN','MAX'):
    S.add('reg/'+ag,'TreeEnsembleRegressor',1,[rows(7,4)],1,[1],n_targets=3,aggregate_function=ag,base_values=[.5,-1.,2.],**ens(rng,5,3,4,3,votes=3,prefix='target'))
    S.add('reg/1 '+ag,'TreeEnsembleRegressor',1,[rows(7,4)],1,[1],n_targets=1,aggregate_function=ag,base_values=[.5],**ens(rng,5,3,4,1,prefix='target'))
for pt in ('SOFTMAX','LOGISTIC','SOFTMAX_ZERO'):
    S.add('reg/'+pt,'TreeEnsembleRegressor',1,[rows(7,4)],1,[1],n_targets=3,post_transform=pt,**ens(rng,5,3,4,3,votes=2,prefix='target'))
S.add('reg/PROBIT','TreeEnsembleRegressor',1,[rows(7,4)],1,[1],n_targets=1,post_transform='PROBIT',**ens(rng,2,3,4,1,prefix='target',pos=True))
S.add('reg/many trees','TreeEnsembleRegressor',1,[rows(40,5)],1,[1],n_targets=1,**ens(rng,66,2,5,1,prefix='target'))
S.add('reg/few rows','TreeEnsembleRegressor',1,[rows(2,5)],1,[1],n_targets=2,**ens(rng,64,2,5,2,votes=2,prefix='target'))
for dt in (np.float64,np.int64,np.int32):
    x=(rows(9,3)*3).astype(dt)
    S.add('reg/'+np.dtype(dt).name,'TreeEnsembleRegressor',1,[x],1,[1],n_targets=1,**ens(rng,6,4,3,1,prefix='target'))
S.add('reg/double tensors','TreeEnsembleRegressor',3,[rows(9,3,dt=np.float64)],1,[1],n_targets=1,**ens(rng,6,4,3,1,prefix='target',double=True))
L=dict(classlabels_int64s=[5,7,9]); L2=dict(classlabels_int64s=[0,1]); LS=dict(classlabels_strings=['no','yes'])
for pt in ('NONE','SOFTMAX','LOGISTIC','SOFTMAX_ZERO'):
    S.add('cls/3 '+pt,'TreeEnsembleClassifier',1,[rows(9,4)],2,[7,1],post_transform=pt,**L,**ens(rng,6,3,4,3,votes=3))
    S.add('cls/2 mixed '+pt,'TreeEnsembleClassifier',1,[rows(9,4)],2,[7,1],post_transform=pt,**L2,**ens(rng,6,3,4,2,onlyid=0))
    S.add('cls/2 second '+pt,'TreeEnsembleClassifier',1,[rows(9,4)],2,[7,1],post_transform=pt,**L2,**ens(rng,6,3,4,2,onlyid=1))
    if pt!='LOGISTIC': S.add('cls/2 positive '+pt,'TreeEnsembleClassifier',1,[rows(9,4)],2,[8,1],post_transform=pt,**LS,**ens(rng,2,3,4,2,onlyid=0,pos=True))
S.add('cls/2 base','TreeEnsembleClassifier',1,[rows(9,4)],2,[8,1],post_transform='LOGISTIC',base_values=[-.2],**LS,**ens(rng,6,3,4,2,onlyid=0))
S.add('cls/3 base','TreeEnsembleClassifier',1,[rows(9,4)],2,[7,1],base_values=[-.2,.1,.4],**L,**ens(rng,6,3,4,3,votes=3))
S.add('cls/double tensors','TreeEnsembleClassifier',3,[rows(9,3,dt=np.float64)],2,[7,1],**L,**ens(rng,6,4,3,3,votes=3,double=True))
S.add('cls/int64','TreeEnsembleClassifier',1,[(rows(9,3)*3).astype(np.int64)],2,[7,1],**L,**ens(rng,6,4,3,3,votes=3))
S.add('cls/one row','TreeEnsembleClassifier',1,[rows(1,4)],2,[7,1],post_transform='SOFTMAX',**L,**ens(rng,64,1,4,3,votes=3))
# linear
for pt in ('NONE','SOFTMAX','LOGISTIC','SOFTMAX_ZERO'):
    co=lambda n:[float(v) for v in rng.normal(size=n)]
    S.add('linear/3 '+pt,'LinearClassifier',1,[rows(6,4)],2,[8,1],coefficients=co(12),intercepts=co(3),classlabels_strings=['a','b','c'],post_transform=pt)
    S.add('linear/one '+pt,'LinearClassifier',1,[rows(6,4)],2,[7,1],coefficients=co(4),intercepts=co(1),classlabels_ints=[3,4],post_transform=pt)
    S.add('linear/reg '+pt,'LinearRegressor',1,[rows(6,4)],1,[1],coefficients=co(8),intercepts=co(2),targets=2,post_transform=pt)
S.add('linear/row','LinearClassifier',1,[rows(1,4)[0]],2,[7,1],coefficients=co(8),intercepts=co(2),classlabels_ints=[3,4],post_transform='SOFTMAX',multi_class=1)
for dt in (np.float64,np.int64,np.int32): S.add('linear/'+np.dtype(dt).name,'LinearClassifier',1,[(rows(6,4)*2).astype(dt)],2,[7,1],coefficients=co(8),intercepts=co(2),classlabels_ints=[3,4])
S.add('linear/reg one','LinearRegressor',1,[rows(6,4)],1,[1],coefficients=co(4))
S.add('linear/reg probit','LinearRegressor',1,[np.abs(rows(4,2))*.1],1,[1],coefficients=[.5,.4],intercepts=[.2],post_transform='PROBIT')
# svm
for kt in ('LINEAR','POLY','RBF','SIGMOID'):
    kp=[.3,.2,2.]
    S.add('svr/'+kt,'SVMRegressor',1,[rows(5,3)],1,[1],coefficients=co(4),support_vectors=co(12),n_supports=4,rho=co(1),kernel_type=kt,kernel_params=kp)
    S.add('svc/2 '+kt,'SVMClassifier',1,[rows(6,3)],2,[7,1],classlabels_ints=[4,8],coefficients=co(5),support_vectors=co(15),vectors_per_class=[2,3],rho=co(1),kernel_type=kt,kernel_params=kp)
    S.add('svc/4 '+kt,'SVMClassifier',1,[rows(6,3)],2,[8,1],classlabels_strings=list('abcd'),coefficients=co(24),support_vectors=co(24),vectors_per_class=[2,3,1,2],rho=co(6),kernel_type=kt,kernel_params=kp)
    S.add('svc/4 prob '+kt,'SVMClassifier',1,[rows(6,3)],2,[8,1],classlabels_strings=list('abcd'),coefficients=co(24),support_vectors=co(24),vectors_per_class=[2,3,1,2],rho=co(6),prob_a=[-abs(x) for x in co(6)],prob_b=co(6),kernel_type=kt,kernel_params=kp)
S.add('svc/2 prob','SVMClassifier',1,[rows(6,3)],2,[7,1],classlabels_ints=[4,8],coefficients=co(5),support_vectors=co(15),vectors_per_class=[2,3],rho=co(1),prob_a=[-1.3],prob_b=[.2],kernel_type='RBF',kernel_params=kp)
S.add('svc/2 LOGISTIC','SVMClassifier',1,[rows(6,3)],2,[7,1],classlabels_ints=[4,8],coefficients=co(5),support_vectors=co(15),vectors_per_class=[2,3],rho=co(1),kernel_type='RBF',kernel_params=kp,post_transform='LOGISTIC')
S.add('svc/2 SOFTMAX','SVMClassifier',1,[rows(6,3)],2,[7,1],classlabels_ints=[4,8],coefficients=co(5),support_vectors=co(15),vectors_per_class=[2,3],rho=co(1),kernel_type='RBF',kernel_params=kp,post_transform='SOFTMAX')
S.add('svc/3 SOFTMAX','SVMClassifier',1,[rows(6,3)],2,[7,1],classlabels_ints=[4,8,9],coefficients=co(10),support_vectors=co(15),vectors_per_class=[2,2,1],rho=co(3),kernel_type='RBF',kernel_params=kp,post_transform='SOFTMAX')
S.add('svc/linear','SVMClassifier',1,[rows(6,3)],2,[7,1],classlabels_ints=[4,8,9],coefficients=co(9),rho=co(1),kernel_type='LINEAR',kernel_params=kp)
if 0: S.add('svc/linear 2','SVMClassifier',1,[rows(6,3)],2,[7,1],classlabels_ints=[4,8],coefficients=co(6),rho=co(1),kernel_type='LINEAR',kernel_params=kp,post_transform='LOGISTIC')
S.add('svc/linear LOGISTIC','SVMClassifier',1,[rows(6,3)],2,[7,1],classlabels_ints=[4,8,9],coefficients=co(9),rho=co(1),kernel_type='LINEAR',kernel_params=kp,post_transform='LOGISTIC')
S.add('svc/int64','SVMClassifier',1,[(rows(6,3)*2).astype(np.int64)],2,[7,1],classlabels_ints=[4,8],coefficients=co(5),support_vectors=co(15),vectors_per_class=[2,3],rho=co(1),kernel_type='RBF',kernel_params=kp)
S.add('svr/one class','SVMRegressor',1,[rows(9,3)],1,[1],coefficients=co(4),support_vectors=co(12),n_supports=4,rho=[.1],kernel_type='RBF',kernel_params=kp,one_class=1)
S.add('svr/linear model','SVMRegressor',1,[rows(5,3)],1,[1],coefficients=co(3),rho=co(1),kernel_type='LINEAR',kernel_params=kp,n_supports=0)
# rest
for nm in ('MAX','L1','L2'): S.add('norm/'+nm,'Normalizer',1,[np.vstack([rows(4,3),np.zeros((1,3),f)])],1,[1],norm=nm); S.add('norm/row '+nm,'Normalizer',1,[rows(1,3)[0]],1,[1],norm=nm)
S.add('norm/int64','Normalizer',1,[np.array([[3,-4],[0,0]])],1,[1],norm='L2')
S.add('norm/float64','Normalizer',1,[rows(3,3,dt=np.float64)],1,[1],norm='L1')
S.add('scaler','Scaler',1,[rows(3,3)],1,[1],offset=co(3),scale=co(3)); S.add('scaler/one','Scaler',1,[rows(3,3)],1,[1],offset=co(1),scale=co(1))
S.add('scaler/float64','Scaler',1,[rows(3,3,dt=np.float64)],1,[1],offset=co(3),scale=co(3)); S.add('scaler/int64','Scaler',1,[(rows(3,3)*9).astype(np.int64)],1,[1],offset=co(3),scale=co(3)); S.add('scaler/int32','Scaler',1,[(rows(3,3)*9).astype(np.int32)],1,[1],offset=co(3),scale=co(3))
S.add('extract','ArrayFeatureExtractor',1,[rows(3,4),np.array([3,0,0])],1,[1]); S.add('extract/row','ArrayFeatureExtractor',1,[rows(1,4)[0],np.array([[1,3]])],1,[1]); S.add('extract/3-D','ArrayFeatureExtractor',1,[rows(6,3).reshape(2,3,3),np.array([[2,0],[1,1]])],1,[1])
S.add('extract/strings','ArrayFeatureExtractor',1,[np.array([['a','b'],['c','d']],object),np.array([1])],1,[8]); S.add('extract/int64','ArrayFeatureExtractor',1,[np.array([[1,2],[3,4]]),np.array([1])],1,[7]); S.add('extract/int32','ArrayFeatureExtractor',1,[np.array([[1,2],[3,4]],np.int32),np.array([1])],1,[6]); S.add('extract/float64','ArrayFeatureExtractor',1,[rows(2,3,dt=np.float64),np.array([1])],1,[11])
S.add('features','FeatureVectorizer',1,[rows(3,2),rows(3,1)],1,[1],inputdimensions=[2,1]); S.add('features/cut','FeatureVectorizer',1,[rows(3,2),rows(3,3)],1,[1],inputdimensions=[3,2]); S.add('features/int64','FeatureVectorizer',1,[np.array([[1],[2]]),np.array([[3,4],[5,6]])],1,[1],inputdimensions=[1,2])
S.add('features/row','FeatureVectorizer',1,[rows(1,2)[0],rows(1,3)[0]],1,[1],inputdimensions=[2,3])
nanx=rows(4,3); nanx[0,1]=nanx[2,0]=np.nan
S.add('impute/nan','Imputer',1,[nanx],1,[1],imputed_value_floats=co(3),replaced_value_float=float('nan')); S.add('impute/one','Imputer',1,[np.round(rows(4,3))],1,[1],imputed_value_floats=[9.]); S.add('impute/int64','Imputer',1,[np.array([[1,0],[-1,2]])],1,[7],imputed_value_int64s=[7,9],replaced_value_int64=-1)
S.add('onehot/strings','OneHotEncoder',1,[np.array([['a','b'],['z','a']],object)],1,[1],cats_strings=['a','b','c']); S.add('onehot/float64','OneHotEncoder',1,[np.array([1.7,2.,-1.])],1,[1],cats_int64s=[1,2,3]); S.add('onehot/int64','OneHotEncoder',1,[np.array([[1],[9]])],1,[1],cats_int64s=[1,2,9],zeros=0); S.add('onehot/int32','OneHotEncoder',1,[np.array([3],np.int32)],1,[1],cats_int64s=[1,2,3]); S.add('onehot/float32','OneHotEncoder',1,[np.array([3.5],f)],1,[1],cats_int64s=[1,2,3])
S.add('encode/1','LabelEncoder',1,[np.array(['a','q','b'],object)],1,[7],classes_strings=['a','b'],default_int64=-7); S.add('encode/1 reverse','LabelEncoder',1,[np.array([1,-1,7,0])],1,[8],classes_strings=['a','b'])
KV={'strings':(['a','b','a'],object,8),'int64s':([3,-4,3],np.int64,7),'floats':([.5,0.,.5],f,1)}
for a,(ks,kd,_) in KV.items():
    for b,(vs,_,vt) in KV.items():
        x=np.array(['b','zz','a'] if a=='strings' else [ks[1],77,ks[0]],kd)
        for v in (2,4): S.add('encode/%d %s %s'%(v,a,b),'LabelEncoder',v,[x],1,[vt],**{'keys_'+a:ks,'values_'+b:vs})
S.add('encode/default','LabelEncoder',2,[np.array([1,2])],1,[8],keys_int64s=[1],values_strings=['x'],default_string='none')
S.add('encode/tensors','LabelEncoder',4,[np.array([1.,.5])],1,[11],keys_tensor=h.make_tensor('k',11,[2],[.5,.25]),values_tensor=h.make_tensor('v',11,[2],[7.,8.]),default_tensor=h.make_tensor('d',11,[1],[-3.]))
S.add('encode/int16','LabelEncoder',4,[np.array(['a','c'],object)],1,[5],keys_strings=['a'],values_tensor=h.make_tensor('v',5,[1],[7]),default_tensor=h.make_tensor('d',5,[1],[-3]))
S.add('map','CategoryMapper',1,[np.array([['a'],['q'],['b']],object)],1,[7],cats_strings=['a','b'],cats_int64s=[4,5],default_int64=-3); S.add('map/reverse','CategoryMapper',1,[np.array([4,5,6])],1,[8],cats_strings=['a','b'],cats_int64s=[4,5])
S.add('binarize','Binarizer',1,[rows(3,3)],1,[1],threshold=.25)
r=S.run()
out=[]
def attr(v):
    if isinstance(v,onnx.TensorProto): return dict(t=[ 'float64' if v.data_type==11 else 'int16', list(v.dims), list(v.double_data) if v.data_type==11 else list(v.int32_data)])
    if isinstance(v,float): return dict(f=j(np.array([v]))[0])
    if isinstance(v,int): return dict(i=v)
    if isinstance(v,str): return dict(s=v)
    if isinstance(v,list) and len(v)==0: return None
    if isinstance(v[0],str): return dict(ss=v)
    if isinstance(v[0],int): return dict(is_=v)
    return dict(fs=[float('%.9g'%f(x)) for x in v])
bad=0
def short(o):
    if o['type']=='float32': o['data']=[x if isinstance(x,str) else float('%.9g'%x) for x in o['data']]
    return o
def shortin(a):
    d=j(a)
    return [x if isinstance(x,str) else float('%.9g'%x) for x in d] if a.dtype==f else d
for (name,op,ver,ins,nout,ot,attrs) in S.cases:
    q=r[name]
    if 'error' in q: print('ORT refuses',name,q['error'][:150]); bad+=1; continue
    out.append(dict(name=name,op=op,version=ver,attrs={k:attr(v) for k,v in attrs.items() if attr(v) is not None},
        ins=[dict(type=ty(a)[1],dims=list(a.shape),data=shortin(a)) for a in ins],outs=[short(q['out']['y%d'%i]) for i in range(nout)]))
open(OUT,'w').write('[\n'+',\n'.join(json.dumps(c,separators=(',',':')) for c in out)+'\n]\n')
print(len(out),'cases',bad,'refused')
